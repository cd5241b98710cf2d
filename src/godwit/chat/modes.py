"""What may be said in a room as it is now: decided once, by the sender's edge, before it appends (rule R1).

Pure: the room's state, the facts of the sender and the time are passed in; the answer is the id of a NOTICE with its
values. What depends on the recent past (slow mode, repeats, unique-chat) is what one edge remembers, and so is by edge:
of what others said it knows what it has read.

What was said later than now says nothing: the clock was set back, and nobody is to wait until it has caught up.

Moderators, VIPs and the owner are exempt from all modes (SAY-exempt), subscribers from followers-only mode.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import blake2b
from math import ceil

import msgspec

from godwit.chat.limits import Fading
from godwit.chat.room import Ruling
from godwit.settings import LimitSettings
from godwit.values import Message, Produced

UNIQUE_WINDOW = 1800.0
"""Seconds for which a message has to be unique (SAY-unique)."""

MOST_UNIQUE = 10_000
"""Messages that are remembered for that, at most."""

MOST_UNPRUNED = 1000
"""Accounts of which slow mode remembers when they spoke, before those are forgotten for whom that is over."""

SHORTEST_UNIQUE = 9
"""Messages of at most so many letters and digits need not be unique."""

REPLACEMENT = "\ufffd"
"""What stands for bytes that are no text."""

MINUTE = 60

DUPLICATE_WINDOW = 30.0
"""Seconds for which an account may not repeat itself, unless the settings say otherwise (SAY-duplicate)."""


def duplicate_window(settings: LimitSettings) -> float:
    """Seconds for which nobody may repeat themselves; 0 if the limits are off."""
    return 0.0 if settings.preset == "off" else settings.duplicate_window or DUPLICATE_WINDOW


class Speaker(msgspec.Struct, frozen=True, gc=False):
    """Who wants to say something, with the facts that decide.

    Attributes:
        exempt: moderator, VIP or owner of the channel, or staff: the modes don't hold for it.
        follows_since: when it began to follow the channel; 0 if it does not.
    """

    user_id: str
    exempt: bool = False
    subscriber: bool = False
    follows_since: float = 0.0


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """Why something may not be said.

    Attributes:
        msg_id: the NOTICE.
        values: what is filled in, all of it in seconds.
    """

    msg_id: str
    values: dict[str, int] = {}


def banned(ruling: Ruling | None, now: float) -> Refusal | None:
    """What a ban or a timeout that stands has to say (SAY-banned); the log decides again when the record is read."""
    if ruling is None or ruling.kind == "lift":
        return None
    if ruling.kind == "ban":
        return Refusal("msg_banned")
    left = ruling.seconds - max(now - ruling.since, 0.0)
    return Refusal("msg_timedout", {"seconds": ceil(left)}) if left > 0 else None


class Modes:
    """What one edge remembers of what was said in one room, and what follows from it.

    Args:
        duplicate_window: seconds for which an account may not repeat itself; 0 for none.
    """

    __slots__ = ("_duplicate_window", "_last", "_spoke", "_unique", "_worth_pruning")

    def __init__(self, duplicate_window: float) -> None:
        self._duplicate_window = duplicate_window
        self._last: Fading[tuple[str, bool, float]] = Fading(duplicate_window)
        self._spoke: dict[str, float] = {}
        self._worth_pruning = MOST_UNPRUNED
        self._unique: dict[bytes, float] = {}

    @property
    def blank(self) -> bool:
        """Whether nothing is remembered."""
        return not (self._last.kept or self._spoke or self._unique)

    def refusal(
        self,
        speaker: Speaker,
        text: str,
        settings: Mapping[str, int],
        now: float,
        *,
        action: bool,
        only_emotes: Callable[[], bool],
    ) -> Refusal | None:
        """Why something may not be said, or None if it may.

        Args:
            settings: the room's; those that are missing are off.
            action: said with `/me`: `/me waves` is not `waves`.
            only_emotes: whether the text is nothing but emotes; asked if it matters.
        """
        if text.count(REPLACEMENT) * 2 > len(text):
            return Refusal("msg_bad_characters")
        if speaker.exempt:
            return None
        if settings and (refusal := self._by_settings(speaker, text, settings, now, only_emotes)):
            return refusal
        if self._duplicate_window:
            last = self._last.get(speaker.user_id, now)
            if (
                last is not None
                and last[0] == text
                and last[1] == action
                and 0 <= now - last[2] < self._duplicate_window
            ):
                return Refusal("msg_duplicate")
        return None

    def said(self, message: Message, settings: Mapping[str, int], now: float) -> None:
        """A message is on its way."""
        who = message.author.user_id
        if self._spoke and self._spoke.get(who, now) > now:
            del self._spoke[who]
        if self._duplicate_window:
            self._last.get(who, now)  # `put` is for what was looked for
            self._last.put(who, (message.text, message.action, now))
        if settings or self._spoke or self._unique:
            self.heard(message, settings, now)

    def heard(self, message: Message, settings: Mapping[str, int], time: float) -> None:
        """A message was said on another edge."""
        if slow := settings.get("slow", 0):
            who = message.author.user_id
            self._spoke[who] = max(time, self._spoke.get(who, time))
            if len(self._spoke) > self._worth_pruning:
                self._spoke = {who: when for who, when in self._spoke.items() if time - when < slow}
                self._worth_pruning = max(2 * len(self._spoke), MOST_UNPRUNED)
        elif self._spoke:
            self._spoke = {}
        if settings.get("r9k", 0):
            self._remember(message.text, time)
        elif self._unique:
            self._unique = {}

    def unsaid(self, record: Produced, now: float) -> None:
        """Nothing came of a record that was on its way, as far as is known: what it says may be said again."""
        if not isinstance(record, Message):
            return
        who = record.author.user_id
        last = self._last.get(who, now) if self._duplicate_window else None
        if last is not None and last[:2] == (record.text, record.action):
            self._last.drop(who)
        self._spoke.pop(who, None)
        self._unique.pop(_digest(record.text), None)

    def _by_settings(
        self,
        speaker: Speaker,
        text: str,
        settings: Mapping[str, int],
        now: float,
        only_emotes: Callable[[], bool],
    ) -> Refusal | None:
        if settings.get("subs-only", 0) and not speaker.subscriber:
            return Refusal("msg_subsonly")
        minutes = settings.get("followers-only", -1)
        if minutes >= 0:
            refusal = None if speaker.subscriber else _followers_only(speaker.follows_since, minutes * MINUTE, now)
            if refusal is not None:
                return refusal
        if settings.get("emote-only", 0) and not only_emotes():
            return Refusal("msg_emoteonly")
        if slow := settings.get("slow", 0):
            left = slow - (now - self._spoke.get(speaker.user_id, float("-inf")))
            if 0 < left <= slow:
                return Refusal("msg_slowmode", {"seconds": ceil(left)})
        if settings.get("r9k", 0) and 0 <= now - self._unique.get(_digest(text), float("-inf")) < UNIQUE_WINDOW:
            return Refusal("msg_r9k")
        return None

    def _remember(self, text: str, time: float) -> None:
        if len(_bare(text)) <= SHORTEST_UNIQUE:
            return
        digest = _digest(text)
        self._unique.pop(digest, None)  # so that they stand in the order in which they were last said
        self._unique[digest] = time
        while (oldest := next(iter(self._unique))) and (
            len(self._unique) > MOST_UNIQUE or time - self._unique[oldest] >= UNIQUE_WINDOW
        ):
            del self._unique[oldest]


def _followers_only(since: float, wanted: int, now: float) -> Refusal | None:
    if not since:
        return Refusal("msg_followersonly", {"duration": wanted}) if wanted else Refusal("msg_followersonly_zero")
    followed = max(now - since, 0.0)
    if followed >= wanted:
        return None
    return Refusal("msg_followersonly_followed", {"duration": wanted, "followed": int(followed)})


def _bare(text: str) -> str:
    """The letters and digits of a text, in lower case: what makes two messages the same to unique-chat mode."""
    return "".join(filter(str.isalnum, text.casefold()))


def _digest(text: str) -> bytes:
    return blake2b(_bare(text).encode("utf-8", "replace"), digest_size=8).digest()
