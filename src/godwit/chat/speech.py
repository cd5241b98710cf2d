"""How much may be said: messages and commands per account, per channel and per address, and whispers; pure.

Today an account has two buckets that fill whole together: what it says as moderator, VIP or owner draws from
the larger one, everything else from both; past either it is ignored for a while (LIMIT-7). In 2016 each
connection had one counter, held against the limit of each message by itself, and past it the whole address was
locked out (LIMIT-8). Nothing is kept of somebody who has been quiet for longer than that lasts.
"""

from __future__ import annotations

from enum import Enum

import msgspec

from godwit.buckets import GRACE, Window
from godwit.chat.limits import VERIFIED, Fading
from godwit.settings import LimitSettings

KNOWN = "known"
"""The role of a bot that is known but not verified."""

DAY = 86_400.0

TOLD = 4
"""Other processes are told of who has said this part of its limit; of all others each process knows alone."""

Said = tuple[str, int, int]
"""Account, how much it has said, and how much of that not as moderator, VIP or owner."""


class SpeechTable(msgspec.Struct, frozen=True):
    """The limits of an era on what is said.

    Attributes:
        messages, known_messages, verified_messages: per `seconds`, by the sender's role.
        elevated_messages: the same where the sender is moderator, VIP or owner; a verified bot has its own number.
        seconds: after which they are there again whole.
        penalty: seconds for which somebody past them is ignored, or locked out.
        per_connection: one counter for each connection, and past it its address is locked out; else buckets of
            the account, and past them it is ignored.
        channel_interval: seconds between two messages of one who is none of these to one channel; 0 for any.
    """

    messages: int
    known_messages: int
    verified_messages: int
    elevated_messages: int
    seconds: float
    penalty: float
    per_connection: bool = False
    channel_interval: float = 0.0


class WhisperTable(msgspec.Struct, frozen=True):
    """Whispers of one account: per second, per minute, and to how many different accounts a day."""

    per_second: int = 3
    per_minute: int = 100
    recipients: int = 40


SPEECH = {
    "now": SpeechTable(20, 50, 7500, 100, seconds=30.0, penalty=1800.0, channel_interval=1.0),
    "2016": SpeechTable(20, 20, 20, 100, seconds=30.0, penalty=7200.0, per_connection=True),
}
"""The limits of today; and of March 2016, when the penalty was two hours (eight before August 2015, half an hour
from November 2016) and there were neither verified bots nor a limit per channel."""

WHISPERS = {"now": WhisperTable(), "2016": WhisperTable(recipients=0)}
"""The same for whispers; 0 recipients: as many as one likes."""


def speech_table(settings: LimitSettings) -> SpeechTable | None:
    """The limits on what is said that settings ask for; None for none."""
    preset = SPEECH.get(settings.preset)
    if preset is None:
        return None
    return SpeechTable(
        messages=settings.messages or preset.messages,
        known_messages=settings.known_messages or preset.known_messages,
        verified_messages=settings.verified_messages or preset.verified_messages,
        elevated_messages=settings.elevated_messages or preset.elevated_messages,
        seconds=settings.message_window or preset.seconds,
        penalty=settings.penalty or preset.penalty,
        per_connection=preset.per_connection,
        channel_interval=settings.channel_interval or preset.channel_interval,
    )


def whisper_table(settings: LimitSettings) -> WhisperTable | None:
    """The limits on whispers that settings ask for; None for none."""
    preset = WHISPERS.get(settings.preset)
    if preset is None:
        return None
    return WhisperTable(
        settings.whispers_per_second or preset.per_second,
        settings.whispers_per_minute or preset.per_minute,
        settings.whisper_recipients or preset.recipients,
    )


class Saying(Enum):
    """What becomes of something that is said."""

    FINE = "fine"
    """It may be said."""
    TOO_FAST = "too fast"
    """It is refused with the NOTICE `msg_ratelimit`."""
    IGNORED = "ignored"
    """It is dropped in silence, and so is what the account says for a while."""
    IGNORED_FIRST = "ignored first"
    """The same, and it is the first: worth a line in the log, and others should know."""
    LOCKED_OUT = "locked out"
    """Its connection ends, and its address is locked out."""


FINE = Saying.FINE
"""Needed for every message, and an enum looks its members up by name."""

_NEVER = float("-inf")


class Whispering(Enum):
    """What becomes of a whisper; else than `FINE` the value is the id of the NOTICE."""

    FINE = "fine"
    PER_SECOND = "whisper_limit_per_sec"
    PER_MINUTE = "whisper_limit_per_min"
    RECIPIENTS = "godwit_whisper_recipients"


class _Voice:
    """What one speaker has said since its buckets were last full, and how much of it others were told.

    Attributes:
        until: when they are full again.
        latest: channel -> when it last said something there that was held against the channel's limit.
    """

    __slots__ = ("all", "latest", "ordinary", "told", "told_ordinary", "until")

    def __init__(self, until: float) -> None:
        self.until = until
        self.latest: dict[str, float] = {}
        self.all = self.ordinary = self.told = self.told_ordinary = 0

    def fill(self, until: float, after: float) -> None:
        """Begin anew; of channels only what was said later than `after` still counts."""
        self.until = until
        self.latest = {channel: time for channel, time in self.latest.items() if time > after}
        self.all = self.ordinary = self.told = self.told_ordinary = 0


class _Most(msgspec.Struct, frozen=True):
    """What a role may say: where it is not elevated, where it is, and in all."""

    ordinary: int
    elevated: int
    all: int


class Speech:
    """The counters of all who speak, for one process.

    Args:
        table: what to keep to; None for no limits.
        shares: what others should know is kept for `news`, which somebody asks for.
    """

    __slots__ = ("_known", "_locked", "_news", "_ordinary", "_punished", "_tell_from", "_verified", "_voices", "table")

    def __init__(self, table: SpeechTable | None, *, shares: bool = False) -> None:
        self.table = table
        seconds, penalty = (table.seconds, table.penalty) if table else (1.0, 1.0)
        self._voices: Fading[_Voice] = Fading(seconds)
        self._punished: Fading[float] = Fading(penalty)
        self._locked: Fading[float] = Fading(penalty)
        self._news: dict[str, _Voice] = {}
        self._tell_from: float = float("inf")
        if shares and table and not table.per_connection:
            self._tell_from = max(table.messages // TOLD, 1)
        self._ordinary, self._known, self._verified = _most(table) if table else (_NOTHING,) * 3

    @property
    def kept(self) -> int:
        """How many counters are kept."""
        return self._voices.kept + self._punished.kept + self._locked.kept

    def say(self, account: str, connection: str, bot: str, channel: str, elevated: bool, now: float) -> Saying:
        """Count something that is said in a channel, whatever becomes of it.

        Args:
            account: user id of the sender.
            connection: name of the sender's connection.
            bot: the account's role.
            channel: where it is said; '' for what is not shown there, such as a command.
            elevated: the sender is moderator, VIP or owner there.
        """
        table = self.table
        if table is None:
            return FINE
        speaker = connection if table.per_connection else account
        if self._punished.kept:
            until = self._punished.get(speaker, now)
            if until is not None and until > now:
                return Saying.IGNORED
        voice = self._voices.get(speaker, now)
        if voice is None or now >= voice.until:
            voice = self._begin(speaker, voice, now)
        voice.all += 1
        most = self._ordinary if not bot else self._of(bot)
        if elevated:
            over = voice.all > most.elevated
        else:
            voice.ordinary += 1
            over = voice.ordinary > most.ordinary or voice.all > most.all
        if over:
            _set(self._punished, speaker, now + table.penalty, now)
            return Saying.LOCKED_OUT if table.per_connection else Saying.IGNORED_FIRST
        if voice.all >= self._tell_from:
            self._news[speaker] = voice
        if elevated or not channel or not table.channel_interval:
            return FINE
        if now - voice.latest.get(channel, _NEVER) < table.channel_interval - GRACE:
            return Saying.TOO_FAST
        voice.latest[channel] = now
        return FINE

    def most(self, bot: str) -> int | None:
        """How much an account of that role may say at once; None for any number."""
        return self._of(bot).all if self.table else None

    def ignored(self, account: str, connection: str, now: float) -> bool:
        """Whether what somebody says would be `IGNORED`."""
        table = self.table
        if table is None or not self._punished.kept:
            return False
        until = self._punished.get(connection if table.per_connection else account, now)
        return until is not None and until > now

    @property
    def has_news(self) -> bool:
        """Whether somebody has said so much that other processes should know of it."""
        return bool(self._news)

    def news(self) -> list[Said]:
        """What other processes should know, once: who has said much, and how much since they were last told."""
        found = []
        for account, voice in self._news.items():
            found.append((account, voice.all - voice.told, voice.ordinary - voice.told_ordinary))
            voice.told, voice.told_ordinary = voice.all, voice.ordinary
        self._news.clear()
        return found

    def said_elsewhere(self, account: str, count: int, ordinary: int, now: float) -> None:
        """Count what another process let through; it never is what has an account ignored."""
        if self.table is not None and not self.table.per_connection:
            voice = self._voices.get(account, now)
            if voice is None or now >= voice.until:
                voice = self._begin(account, voice, now)
            voice.all += count
            voice.told += count
            voice.ordinary += ordinary
            voice.told_ordinary += ordinary

    def ignore(self, account: str, seconds: float, now: float) -> None:
        """Ignore an account that another process ignores."""
        if self.table is not None:
            _set(self._punished, account, now + seconds, now)

    def lock_out(self, address: str, seconds: float, now: float) -> None:
        """Let nobody log in from an address for a while."""
        if self.table is not None:
            _set(self._locked, address, now + seconds, now)

    @property
    def locks_out(self) -> bool:
        """Whether any address may be locked out."""
        return bool(self._locked.kept)

    def locked_out(self, address: str, now: float) -> bool:
        """Say whether an address is locked out."""
        until = self._locked.get(address, now)
        return until is not None and until > now

    def _of(self, bot: str) -> _Most:
        """What an account of that role may say."""
        return self._ordinary if not bot else self._verified if bot == VERIFIED else self._known

    def _begin(self, speaker: str, voice: _Voice | None, now: float) -> _Voice:
        """Have somebody's buckets full."""
        table = self.table
        assert table is not None
        if voice is None:
            voice = _Voice(now + table.seconds)
            self._voices.put(speaker, voice)
        else:
            voice.fill(now + table.seconds, now - table.channel_interval)
        return voice


_NOTHING = _Most(0, 0, 0)


def _most(table: SpeechTable) -> tuple[_Most, _Most, _Most]:
    """What ordinary accounts, known and verified bots may say."""
    everybody = table.elevated_messages
    if table.per_connection:  # one counter, held against the limit of each message by itself
        alone = (table.messages, table.known_messages, table.verified_messages)
        first, second, third = (_Most(most, everybody, most) for most in alone)
        return first, second, third
    ordinary, known, verified = table.messages, table.known_messages, max(table.verified_messages, everybody)
    return (
        _Most(ordinary, everybody, max(ordinary, everybody)),
        _Most(known, everybody, max(known, everybody)),
        _Most(table.verified_messages, verified, verified),
    )


def _set(kept: Fading[float], key: str, until: float, now: float) -> None:
    known = kept.get(key, now)
    kept.put(key, until if known is None else max(known, until))


class _Whisperer:
    """What one account has whispered."""

    __slots__ = ("day_ends", "minute", "recipients", "second")

    def __init__(self, table: WhisperTable, now: float) -> None:
        self.second = Window(table.per_second, 1.0)
        self.minute = Window(table.per_minute, 60.0)
        self.day_ends = now + DAY
        self.recipients: set[str] = set()


class Whispers:
    """The counters of all who whisper, for one process (LIMIT-10).

    Args:
        table: what to keep to; None for no limits.
    """

    __slots__ = ("_table", "_whisperers")

    def __init__(self, table: WhisperTable | None) -> None:
        self._table = table
        self._whisperers: Fading[_Whisperer] = Fading(DAY)

    def whisper(self, account: str, recipient: str, now: float) -> Whispering:
        """Count a whisper; what is refused is not counted."""
        table = self._table
        if table is None:
            return Whispering.FINE
        who = self._whisperers.get(account, now)
        if who is None:
            who = _Whisperer(table, now)
            self._whisperers.put(account, who)
        elif now >= who.day_ends:
            who.day_ends = now + DAY
            who.recipients.clear()
        if table.recipients and recipient not in who.recipients and len(who.recipients) >= table.recipients:
            return Whispering.RECIPIENTS
        if who.minute.wait(now) > 0:
            return Whispering.PER_MINUTE
        if not who.second.take(now):
            return Whispering.PER_SECOND
        who.minute.force(now)
        if table.recipients:
            who.recipients.add(recipient)
        return Whispering.FINE
