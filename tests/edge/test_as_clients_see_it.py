"""What clients rely on, seen from outside: over real connections, with everything on that can happen."""

from __future__ import annotations

import pytest
from websockets.asyncio.client import connect

from tests.edge.commands.stage import ROOM, notices, stage
from tests.edge.world import world


def commands(lines: list[str]) -> set[str]:
    """The commands of lines, without tags and prefixes."""
    found = set()
    for line in lines:
        words = line.split(" ")
        found.add(words[1] if words[0].startswith(":") else words[0])
    return found


@pytest.mark.row("CAP-6", "NOTICE-1", "CLEAR-1", "HOST-1", "MSG-3")
async def test_who_asked_for_nothing_sees_what_is_said_and_nothing_else() -> None:
    """No tags, nobody else in the list, no state, no news of the room; what there is, is as in plain IRC."""
    async with stage() as room:
        bare = await room.net.login("bare", caps="")
        bare.send(f"JOIN #{ROOM}")
        joined = await bare.until(" 366 ")
        assert joined == [
            f":bare!bare@bare.tmi.twitch.tv JOIN #{ROOM}",
            f":bare.tmi.twitch.tv 353 bare = #{ROOM} :bare",
            f":bare.tmi.twitch.tv 366 bare #{ROOM} :End of /NAMES list",
        ]
        for nick, text in (
            ("ann", "hello"),
            ("ann", "/me waves"),
            ("mod", "/slow 5"),
            ("mod", "/timeout ann 60"),
            ("mod", "/clear"),
            ("boss", "/host ada"),
            ("boss", "/announce listen"),
            ("boss", "/mod bob"),
        ):
            await room.says(nick, text)
        bare.send(f"PRIVMSG #{ROOM} :me too", f"PRIVMSG #{ROOM} :/mods", f"PART #{ROOM}")
        assert await bare.until(" PART ") == [
            f":ann!ann@ann.tmi.twitch.tv PRIVMSG #{ROOM} :hello",
            f":ann!ann@ann.tmi.twitch.tv PRIVMSG #{ROOM} :\x01ACTION waves\x01",
            f":bare!bare@bare.tmi.twitch.tv PART #{ROOM}",
        ]
        assert await bare.flush() == []


@pytest.mark.row("CAP-6", "MSG-1")
async def test_who_asked_for_everything_sees_all_of_it() -> None:
    """Each kind of line comes to those who have the capability for it."""
    async with stage() as room:
        everything = "twitch.tv/tags twitch.tv/commands twitch.tv/membership"
        eve = await room.net.join("eve", ROOM, caps=everything)
        for nick, text in (
            ("ann", "hello"),
            ("mod", "/slow 5"),
            ("mod", "/delete none"),
            ("mod", "/timeout ann 60"),
            ("boss", "/host ada"),
            ("boss", "/announce listen"),
        ):
            await room.says(nick, text)
        eve.send(f"PRIVMSG #{ROOM} :me too")
        lines = await eve.until(" USERSTATE ")
        assert commands([line.partition(" ")[2] if line.startswith("@") else line for line in lines]) >= {
            "PRIVMSG",
            "ROOMSTATE",
            "NOTICE",
            "CLEARCHAT",
            "HOSTTARGET",
            "USERNOTICE",
            "USERSTATE",
        }
        assert not any(line.endswith(":me too") for line in lines), "the sender is not echoed"


@pytest.mark.row("WS-5", "LIMIT-3")
async def test_a_probe_counts_for_nothing() -> None:
    async with world(limits={"preset": "now", "logins": 1}) as net:
        port = net.fronts["main"].ws
        assert port
        for _ in range(3):
            async with connect(f"ws://127.0.0.1:{port.port}/", compression=None):
                pass
        assert await net.login("ann")
        late = await net.connect()
        late.send("PASS oauth:x", "NICK ann")
        assert await late.rest() == [":tmi.twitch.tv NOTICE * :Login unsuccessful"]


@pytest.mark.row("LIMIT-12", "LIMIT-7")
@pytest.mark.parametrize(("channel", "taken"), [("jtv", 2), ("bob", 2), ("ann", 3)])
async def test_a_whisper_counts_where_it_is_typed(channel: str, taken: int) -> None:
    limits = {"preset": "now", "messages": 2, "elevated_messages": 3}
    async with stage(limits=limits) as room:
        ann = await room.net.login("ann")
        for _ in range(5):
            ann.send(f"PRIVMSG #{channel} :/w ann me")
            await room.net.idle()
        assert (
            notices(await ann.flush(), channel) == [("whisper_invalid_self", "You cannot whisper to yourself.")] * taken
        )


@pytest.mark.row("SAY-duplicate")
async def test_a_character_that_nobody_sees_makes_another_text() -> None:
    """Bots put U+E0000 behind a text to say it once more."""
    async with stage(limits={"preset": "now"}) as room:
        await room.hears("eve")
        told = []
        for text in ("again", "again", "again \U000e0000", "again"):
            room.net.clock.advance(2.0)
            told += await room.told("ann", text)
        assert [msg_id for msg_id, _ in told] == ["msg_duplicate"]
        assert [line.split(" :")[-1] for line in await room.hears("eve")] == ["again", "again \U000e0000", "again"]
