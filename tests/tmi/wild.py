"""Lines by chance, for tests that send nonsense: mostly right, with something odd in any place."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

LINES = 40
"""Lines in each example."""

_ODD = "\0\r\x01  ::;,@#=\\/.*-~\u00e9\U0001f600\U000e0000\ufeff\u2028\x85abcxyz019_"
_ENDS = (b"\r\n", b"\r\n", b"\n", b"\r\n\0", b"\0\r\n", b"\r\r\n", b"\n\n", b" \r\n", b"")
_PREFIXES = ("", "", "", ":ann!ann@ann ", ":ann!ann@ann ", ":tmi.twitch.tv ", ": ", "::", ":jtv ")


class Parts:
    """What lines are made of, as words between `|`: tags, their values, commands and parameters."""

    def __init__(self, keys: str, values: str, commands: str, words: str) -> None:
        self.keys, self.values = keys.split("|"), values.split("|")
        self.commands, self.words = commands.split("|"), words.split("|")


FROM_CLIENT = Parts(
    "client-nonce|reply-parent-msg-id|godwit-after|sent-ts|+x",
    "|n1|2-7|2-7,,1-1|\\|\\s\\:|" + "9" * 40 + "-1|" + "n" * 150,
    "PRIVMSG|PRIVMSG|PRIVMSG|JOIN|JOIN|CAP|CAP|PART|PING|PING|PONG|INQUIRE|USER|TWITCHCLIENT|JTVCLIENT|MODE"
    "|privmsg|Join|WHO|421|\x01",
    "#a|#a|#a|#a|#a|#a|#a|#a|#B|#a,#b,#c|#_ann_1447033529452|#|##|#abcdefghijklmnopqrstuvwxyz0|LS|REQ|REQ|END|1|3"
    "|twitch.tv/tags|-godwit/position|/me x|/ban ann|.w ann hi|/ x|\x01ACTION x\x01",
)

FROM_SERVER = Parts(
    "id|godwit-position|godwit-epoch|godwit-home|godwit-cluster|godwit-tcp|godwit-missing|msg-id|client-nonce|slow"
    "|subs-only|godwit-drain-until|emotes|room-id",
    "|0|1|2-7|3-1|-1|aws|godwit_gap|h:1,h:2|h|\u00b2|1.5|nan|unknown|" + "9" * 40,
    "PRIVMSG|PRIVMSG|NOTICE|CAP|001|JOIN|PART|PING|PONG|SERVERCHANGE|INQUIRE|ROOMSTATE|USERSTATE|RECONNECT|CLEARCHAT"
    "|366|ping|WHAT",
    "|#a|#a|#a|#A|#b|*|ronni|ACK|NAK|twitch.tv/tags|aws|h:1|h:x|#|\x01ACTION hi\x01",
)


class Wild:
    """Makes lines by chance: mostly right, with something odd in any place, some of them garbled."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def text(self) -> str:
        """Any text of odd characters."""
        return "".join(self._random.choices(_ODD, k=self._random.randrange(20)))

    def _one(self, words: Sequence[str]) -> str:
        return self.text() if self._random.random() < 0.2 else self._random.choice(words)

    def line(self, parts: Parts) -> bytes:
        """One line, with its end."""
        chance = self._random
        tags = [f"{self._one(parts.keys)}={self._one(parts.values)}" for _ in range(chance.choice((0, 0, 1, 2, 4)))]
        words = [self._one(parts.words) for _ in range(chance.choice((0, 1, 1, 1, 2, 3)))]
        trailing = [" :" + self._one(parts.words)] if chance.random() < 0.6 else []
        block = "@" + ";".join(tags) + " " if tags else ""
        head = block + chance.choice(_PREFIXES) + " ".join([chance.choice(parts.commands), *words])
        data = "".join([head, *trailing]).encode("utf-8")
        if chance.random() < 0.15:
            place = chance.randrange(len(data) + 1)
            data = data[:place] + chance.randbytes(chance.randrange(5)) + data[place + chance.randrange(3) :]
        return data + chance.choice(_ENDS)

    def stream(self, parts: Parts, more: Sequence[bytes]) -> bytes:
        """Lines in a row, with more bytes between them."""
        found = [self.line(parts) for _ in range(LINES)]
        for data in more:
            found.insert(self._random.randrange(len(found)), data)
        return b"".join(found)


def strict(elements: list[bytes]) -> None:
    """LINE-3: whole lines, nothing that breaks one inside, never a line of one word."""
    for element in elements:
        assert element.endswith(b"\r\n")
        for line in element.removesuffix(b"\r\n").split(b"\r\n"):
            assert not set(line) & set(b"\r\n\0")
            assert len(line.decode("utf-8").split(" ")) > 1
            assert line.split()[0] != line
