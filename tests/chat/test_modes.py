"""What may be said in a room as it is now (rows SAY-banned to SAY-duplicate of the protocol)."""

from __future__ import annotations

import pytest

from godwit.chat import modes
from godwit.chat.modes import Modes, Refusal, Speaker, banned, duplicate_window
from godwit.chat.room import Ruling
from godwit.settings import LimitSettings
from godwit.values import Author, Message, Position, Tell

ANN, BOB = Speaker("7"), Speaker("8")
HERE = Position(1, 1)


def message(text: str, user: str = "7", *, action: bool = False) -> Message:
    return Message("m", 1, "p", 1, Author(user, f"user{user}"), text, action=action)


class Room:
    """A room with its settings, in which time passes as a test says."""

    def __init__(self, duplicates: float = 30.0, **settings: int) -> None:
        self.settings = {name.replace("_", "-"): value for name, value in settings.items()}
        self.modes = Modes(duplicates)
        self.now = 1000.0

    def refusal(self, text: str, who: Speaker = ANN, *, emotes: bool = False, action: bool = False) -> Refusal | None:
        return self.modes.refusal(who, text, self.settings, self.now, action=action, only_emotes=lambda: emotes)

    def says(self, text: str, who: Speaker = ANN, *, action: bool = False) -> str:
        """Say something if it may be said; returns the id of the NOTICE if not."""
        refusal = self.refusal(text, who, action=action)
        if refusal is None:
            self.modes.said(message(text, who.user_id, action=action), self.settings, self.now)
        return refusal.msg_id if refusal else ""


# bans and timeouts ------------------------------------------------------------------------------


@pytest.mark.row("SAY-banned")
def test_banned() -> None:
    assert banned(None, 5.0) is None
    assert banned(Ruling("a", "lift", "7", HERE, 1.0), 5.0) is None
    assert banned(Ruling("a", "ban", "7", HERE, 1.0), 5.0) == Refusal("msg_banned")
    assert banned(Ruling("a", "ban", "7", HERE, 9.0), 5.0) == Refusal("msg_banned")


@pytest.mark.row("SAY-banned")
@pytest.mark.parametrize(
    ("now", "left"), [(90.0, 10), (100.0, 10), (100.5, 10), (101.0, 9), (109.9, 1), (110.0, 0), (500.0, 0)]
)
def test_timed_out(now: float, left: int) -> None:
    """The seconds are never 0 while it lasts; clocks that differ make it no longer (rule R4)."""
    ruling = Ruling("a", "timeout", "7", HERE, 100.0, 10)
    assert banned(ruling, now) == (Refusal("msg_timedout", {"seconds": left}) if left else None)


# settings ---------------------------------------------------------------------------------------


def test_nothing_is_set() -> None:
    assert Room().refusal("hello") is None
    assert Room(slow=0, subs_only=0, followers_only=-1, emote_only=0, r9k=0).refusal("hello") is None


@pytest.mark.row("SAY-subscribers")
def test_subscribers_only() -> None:
    room = Room(subs_only=1)
    assert room.refusal("hello") == Refusal("msg_subsonly")
    assert room.refusal("hello", Speaker("7", subscriber=True)) is None
    assert room.refusal("hello", Speaker("7", follows_since=1.0)) == Refusal("msg_subsonly")


@pytest.mark.row("SAY-followers")
def test_followers_only() -> None:
    room = Room(followers_only=10)
    assert room.refusal("hello") == Refusal("msg_followersonly", {"duration": 600})
    late = Refusal("msg_followersonly_followed", {"duration": 600, "followed": 599})
    assert room.refusal("hello", Speaker("7", follows_since=400.5)) == late
    assert room.refusal("hello", Speaker("7", follows_since=400.0)) is None
    assert room.refusal("hello", Speaker("7", subscriber=True)) is None


@pytest.mark.row("SAY-followers")
def test_any_follower_will_do() -> None:
    room = Room(followers_only=0)
    assert room.refusal("hello") == Refusal("msg_followersonly_zero")
    assert room.refusal("hello", Speaker("7", follows_since=999.0)) is None
    assert room.refusal("hello", Speaker("7", follows_since=1001.0)) is None, "clocks differ"


@pytest.mark.row("SAY-emotes")
def test_emote_only() -> None:
    room = Room(emote_only=1)
    assert room.refusal("Kappa so", emotes=False) == Refusal("msg_emoteonly")
    assert room.refusal("Kappa", emotes=True) is None


@pytest.mark.row("SAY-slow")
def test_slow() -> None:
    room = Room(slow=10)
    assert room.says("one") == ""
    room.now += 0.5
    assert room.refusal("two") == Refusal("msg_slowmode", {"seconds": 10})
    assert room.says("one", BOB) == ""
    room.now += 9.4
    assert room.refusal("two", Speaker("7", subscriber=True)) == Refusal("msg_slowmode", {"seconds": 1})
    room.now += 0.1
    assert room.says("two") == ""
    assert room.refusal("three") == Refusal("msg_slowmode", {"seconds": 10})


@pytest.mark.row("SAY-slow")
def test_slow_counts_what_was_read_of_other_edges() -> None:
    room = Room(slow=10)
    room.modes.heard(message("one"), room.settings, 995.0)
    assert room.refusal("two") == Refusal("msg_slowmode", {"seconds": 5})
    room.modes.heard(message("older"), room.settings, 990.0)
    assert room.refusal("two") == Refusal("msg_slowmode", {"seconds": 5})
    room.modes.heard(message("now"), room.settings, 1000.0)
    assert room.refusal("two") == Refusal("msg_slowmode", {"seconds": 10})


@pytest.mark.row("SAY-slow", "SAY-unique", "SAY-duplicate")
@pytest.mark.parametrize(("duplicates", "mode"), [(0.0, {"slow": 60}), (0.0, {"r9k": 1}), (30.0, {})])
def test_nobody_waits_until_a_clock_that_was_set_back_has_caught_up(duplicates: float, mode: dict[str, int]) -> None:
    room = Room(duplicates, **mode)
    assert room.says("hello dear people") == ""
    assert room.says("hello dear people") != ""
    room.now -= 3600.0
    assert room.says("hello dear people") == ""
    assert room.says("hello dear people") != ""


@pytest.mark.row("SAY-slow")
def test_slow_begins_when_it_is_set() -> None:
    room = Room()
    assert room.says("one") == ""
    room.settings = {"slow": 10}
    assert room.says("two") == ""
    assert room.says("three") == "msg_slowmode"
    room.settings = {"slow": 0}
    assert room.says("four") == ""
    room.settings = {"slow": 10}
    assert room.says("five") == ""


def test_slow_forgets_who_may_talk_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modes, "MOST_UNPRUNED", 3)
    room = Room(duplicates=0.0, slow=10)
    for user in ("1", "2", "3"):
        room.says("hi", Speaker(user))
    room.now += 10.0
    room.says("hi", ANN)
    assert set(room.modes._spoke) == {"7"}


@pytest.mark.row("SAY-unique")
def test_unique() -> None:
    """What is no letter or digit, and case, make no difference; actions neither."""
    room = Room(r9k=1)
    assert room.says("Hello, everybody!") == ""
    for text in ("Hello, everybody!", "hello everybody", "HELLO...  EveryBody 😀"):
        assert room.says(text, BOB) == "msg_r9k"
    assert room.says("hello everybody", BOB, action=True) == "msg_r9k"
    assert room.says("hello everybody 2", BOB) == ""


@pytest.mark.row("SAY-unique")
def test_short_messages_need_not_be_unique() -> None:
    room = Room(r9k=1, duplicates=0.0)
    assert [room.says(text) for text in ("a123456-78", "a123456-78", "a1234567-89", "a1234567-89")] == [
        "", "", "", "msg_r9k",
    ]  # fmt: skip


@pytest.mark.row("SAY-unique")
def test_unique_for_half_an_hour() -> None:
    room = Room(r9k=1)
    assert room.says("hello everybody") == ""
    room.now += 1799.0
    assert room.says("hello everybody", BOB) == "msg_r9k"
    room.now += 1.0
    assert room.says("hello everybody", BOB) == ""


@pytest.mark.row("SAY-unique")
def test_unique_among_what_others_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """On other edges too; the newest are remembered, while the mode is on."""
    monkeypatch.setattr(modes, "MOST_UNIQUE", 2)
    room = Room(r9k=1)
    for text in ("first of many", "second of many", "first of many", "third of many"):
        room.modes.heard(message(text, "8"), room.settings, room.now)
    assert [room.refusal(f"{name} of many") is None for name in ("first", "second", "third")] == [False, True, False]
    room.modes.heard(message("something else"), {"r9k": 0}, room.now)
    assert room.refusal("first of many") is None


# what holds always ------------------------------------------------------------------------------


@pytest.mark.row("SAY-duplicate")
def test_duplicates() -> None:
    room = Room()
    assert room.says("hello") == ""
    room.now += 29.0
    assert room.says("hello") == "msg_duplicate"
    assert room.says("hello", BOB) == ""
    assert room.says("hello", action=True) == ""
    assert room.says("hello") == "", "only the last one counts"
    room.now += 30.0
    assert room.says("hello") == ""


@pytest.mark.row("SAY-duplicate")
def test_window_of_duplicates() -> None:
    assert duplicate_window(LimitSettings()) == 30.0
    assert duplicate_window(LimitSettings(preset="2016")) == 30.0
    assert duplicate_window(LimitSettings(duplicate_window=5.0)) == 5.0
    assert duplicate_window(LimitSettings(preset="off", duplicate_window=5.0)) == 0.0
    room = Room(duplicates=0.0)
    assert [room.says("hello"), room.says("hello")] == ["", ""]


@pytest.mark.row("SAY-characters")
def test_what_is_no_text() -> None:
    room = Room()
    assert room.refusal("\ufffd\ufffda") == Refusal("msg_bad_characters")
    assert room.refusal("\ufffda") is None
    assert room.refusal("\ufffd\ufffda", Speaker("7", exempt=True)) == Refusal("msg_bad_characters")


@pytest.mark.row("SAY-exempt")
def test_who_is_exempt() -> None:
    boss = Speaker("7", exempt=True)
    room = Room(slow=10, subs_only=1, followers_only=10, emote_only=1, r9k=1)
    assert [room.says("hello everybody", boss) for _ in range(3)] == ["", "", ""]


@pytest.mark.row("SAY-duplicate")
def test_what_came_to_nothing_may_be_said_again() -> None:
    room = Room(slow=10, r9k=1)
    assert room.says("hello everybody") == ""
    room.modes.unsaid(message("hello everybody"), room.now)
    assert room.says("hello everybody") == ""
    assert room.refusal("hello everybody") == Refusal("msg_slowmode", {"seconds": 10})


def test_what_else_came_to_nothing_changes_nothing() -> None:
    room = Room()
    assert room.says("hello") == ""
    room.modes.unsaid(Tell("t", 1, "p", 1, "hello"), room.now)
    room.modes.unsaid(message("another"), room.now)
    room.modes.unsaid(message("hello", action=True), room.now)
    room.modes.unsaid(message("hello", "8"), room.now)
    assert room.says("hello") == "msg_duplicate"
