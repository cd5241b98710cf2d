"""The account of a fault run finds whatever is wrong, and nothing else."""

from __future__ import annotations

from typing import get_args

import pytest

from godwit.client.events import Message
from godwit.values import Position
from tests.chaos.account import Account
from tests.chaos.crowd import CHEAT_AT, Cheat, Witness

ROOM = "room"


class Story:
    """A channel with two followers, `ann` and `ben`, and a member, `mia`, who is there from second 0."""

    def __init__(self) -> None:
        self.account = Account()
        for nick in ("ann", "ben"):
            self.account.follows(nick, ROOM)
        self.account.member_joined("mia", ROOM, 0.0)

    def say(self, number: int, at: float | None = None, *, acknowledged: bool = True) -> None:
        """Somebody says a line at a second, and has it acknowledged half a second later."""
        at = float(number) if at is None else at
        self.account.said(ROOM, "zoe", f"line {number}", at)
        if acknowledged:
            self.account.acknowledged(ROOM, f"line {number}", f"id {number}", at + 0.5)

    def see(self, nick: str, number: int, at: tuple[int, int] | None = None) -> None:
        """A follower sees a line, by default at the position with its number."""
        epoch, sequence = at or (1, number)
        self.account.follower_saw(nick, ROOM, f"line {number}", f"id {number}", Position(epoch, sequence))

    def all_see(self, *numbers: int, but: str = "") -> None:
        """Everybody sees lines, but one of them."""
        for number in numbers:
            for nick in {"ann", "ben"} - {but}:
                self.see(nick, number)
            if but != "mia":
                self.account.member_saw("mia", ROOM, f"line {number}", f"id {number}")

    def found(self) -> dict[str, int]:
        """What the account says of offences, once all is reckoned."""
        self.account.close(1000.0)
        names = ("missing", "twice", "misordered", "foreign", "gaps", "parted")
        assert bool(self.account.counts.problems) == bool(self.account.counts.offences)
        return {name: count for name in names if (count := getattr(self.account.counts, name))}


@pytest.fixture
def story() -> Story:
    return Story()


def test_all_is_well(story: Story) -> None:
    for number in (1, 2, 3):
        story.say(number)
    story.all_see(1, 2, 3)
    assert story.account.missing(1000.0) == []
    assert story.found() == {}
    assert (story.account.counts.seen, story.account.counts.cut_off) == (9, 0)


@pytest.mark.parametrize("who", ["ann", "mia"])
def test_line_that_does_not_come(story: Story, who: str) -> None:
    for number in (1, 2, 3):
        story.say(number)
    story.all_see(1)
    story.all_see(2, but=who)
    story.all_see(3)
    assert [(name, line.text) for name, line in story.account.missing(1000.0)] == [(who, "line 2")]
    assert story.found() == {"missing": 1}


def test_what_is_acknowledged_later_may_still_come(story: Story) -> None:
    story.say(1)
    assert story.account.missing(1.5) == []
    assert len(story.account.missing(1.6)) == 3


def test_line_without_outcome_that_some_see_is_for_all(story: Story) -> None:
    story.say(1, acknowledged=False)
    assert story.account.missing(1000.0) == []
    story.see("ann", 1)
    assert {name for name, _ in story.account.missing(1000.0)} == {"ben", "mia"}
    assert story.found() == {"missing": 2}


def test_line_without_outcome_that_nobody_sees(story: Story) -> None:
    story.say(1, acknowledged=False)
    story.account.unknown(ROOM, "line 1")
    assert story.found() == {}


def test_twice(story: Story) -> None:
    story.say(1)
    story.all_see(1)
    story.see("ann", 1, (2, 7))
    story.account.member_saw("mia", ROOM, "line 1", "id 1")
    assert story.found() == {"twice": 2}


def test_twice_after_it_was_reckoned(story: Story) -> None:
    story.say(1)
    story.all_see(1)
    story.account.close(500.0)
    story.see("ann", 1)
    story.account.member_saw("mia", ROOM, "line 1", "id 1")
    assert story.found() == {"twice": 2}


def test_another_order(story: Story) -> None:
    story.say(1)
    story.say(2, 1.0)
    story.see("ann", 1)
    story.see("ann", 2)
    story.see("ben", 2)
    story.see("ben", 1)
    story.account.member_saw("mia", ROOM, "line 2", "id 2")
    story.account.member_saw("mia", ROOM, "line 1", "id 1")
    assert story.found() == {"misordered": 2}


def test_readers_who_do_not_agree_on_positions(story: Story) -> None:
    story.say(1)
    story.all_see(1, but="ben")
    story.see("ben", 1, (1, 9))
    assert story.found() == {"misordered": 1}


def test_sent_after_what_stands_behind_it_was_acknowledged(story: Story) -> None:
    story.say(2, 1.0)
    story.say(1, 2.0)
    story.all_see(1, 2)
    assert story.found() == {"misordered": 1}


def test_sent_after_what_stands_behind_it_was_reckoned(story: Story) -> None:
    story.say(2, 1.0)
    for nick in ("ann", "ben"):
        story.see(nick, 2)
    story.account.member_saw("mia", ROOM, "line 2", "id 2")
    story.account.close(10.0)
    story.say(1, 20.0)
    story.account.follower_saw("ann", ROOM, "line 1", "id 1", Position(1, 1))
    assert "misordered" in story.found()


def test_refused_and_yet_seen(story: Story) -> None:
    story.say(1, acknowledged=False)
    story.say(2, acknowledged=False)
    story.account.refused(ROOM, "line 1")
    story.see("ann", 1)
    story.see("ann", 2)
    story.account.refused(ROOM, "line 2")
    assert story.found()["foreign"] == 2


def test_what_nobody_said(story: Story) -> None:
    story.see("ann", 7)
    story.account.member_saw("mia", ROOM, "line 7", "id 7")
    story.account.acknowledged(ROOM, "line 7", "id 7", 1.0)
    assert story.found() == {"foreign": 3}


def test_another_id_than_was_acknowledged(story: Story) -> None:
    story.say(1)
    story.account.follower_saw("ann", ROOM, "line 1", "another", Position(1, 1))
    assert story.found()["foreign"] == 1


def test_acknowledged_twice(story: Story) -> None:
    story.say(1)
    story.account.acknowledged(ROOM, "line 1", "another", 2.0)
    story.all_see(1)
    assert story.found() == {"twice": 1}


def test_gaps_and_members_that_are_taken_out(story: Story) -> None:
    story.account.gap("ann", ROOM, None)
    story.account.member_parted("mia", ROOM, 1.0)
    assert story.found() == {"gaps": 1, "parted": 1}


def test_member_that_was_away(story: Story) -> None:
    """What it misses is cut off; what it was there for is not."""
    for number in range(1, 6):
        story.say(number)
    story.all_see(1)
    story.all_see(2, 3, but="mia")
    story.account.member_left("mia", ROOM, 3.9)
    story.account.member_joined("mia", ROOM, 3.95)
    story.all_see(4, 5)
    assert story.account.missing(1000.0) == []
    assert story.found() == {}
    assert story.account.counts.cut_off == 2


def test_member_that_came_back_and_does_not_see_the_first(story: Story) -> None:
    for number in (1, 2, 3):
        story.say(number)
    story.all_see(1)
    story.account.member_left("mia", ROOM, 1.8)
    story.account.member_joined("mia", ROOM, 1.9)
    story.all_see(2, but="mia")
    story.all_see(3)
    assert story.found() == {"missing": 1}


def test_hole_in_what_a_member_saw_before_it_left(story: Story) -> None:
    """Also when it came after the line was said: what is seen on one connection has no hole."""
    for number in (1, 2, 3):
        story.say(number)
    story.account.member_left("mia", ROOM, 0.0)
    story.account.member_joined("mia", ROOM, 2.5)
    story.all_see(1)
    story.all_see(2, but="mia")
    story.all_see(3)
    story.account.member_left("mia", ROOM, 4.0)
    assert story.found() == {"missing": 1}


def test_member_sees_what_no_follower_does(story: Story) -> None:
    story.say(1, acknowledged=False)
    story.account.member_saw("mia", ROOM, "line 1", "id 1")
    assert story.found() == {"foreign": 1}


def test_member_that_is_not_there_sees_something(story: Story) -> None:
    story.say(1)
    story.all_see(1, but="mia")
    story.account.member_left("mia", ROOM, 0.1)
    story.account.member_saw("mia", ROOM, "line 1", "id 1")
    assert story.found() == {"foreign": 1}


@pytest.mark.parametrize("cheat", get_args(Cheat))
def test_whoever_cheats_is_found(cheat: Cheat) -> None:
    """Hidden faults, each in the middle of a run in which everything else is well."""
    account = Account()
    witness = Witness(account, cheat)
    for nick in ("follower0", "follower1"):
        account.follows(nick, ROOM)
    account.member_joined("member0", ROOM, 0.0)
    for number in range(CHEAT_AT + 5):
        text = f"zoe {ROOM} {number:06d}"
        witness.said(ROOM, "zoe", text)
        witness.acknowledged(ROOM, "zoe", text, str(number))
        for nick in ("follower0", "follower1"):
            witness.follower_saw(nick, Message(ROOM, str(number), "zoe", text, position=Position(1, number)))
        witness.member_saw("member0", ROOM, text, str(number))
    account.close(float("inf"))
    expected = {
        "none": "",
        "drop": "missing",
        "repeat": "twice",
        "swap": "misordered",
        "invent": "missing",
        "forget": "foreign",
        "member-drop": "missing",
    }[cheat]
    assert [problem.partition(":")[0] for problem in account.counts.problems][:1] == ([expected] if expected else [])
