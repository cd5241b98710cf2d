"""What holds in a room, with what is on its way."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from godwit.chat.room import Ruling
from godwit.edge.room import Room
from godwit.edge.standing import Standing
from godwit.values import Act, Author, Change, Position

BOSS = Author("1", "boss")


class Channel:
    """A channel of which the tests say what was read."""

    def __init__(self) -> None:
        self.settings: dict[str, int] = {}
        self.hosting = ""
        self.rulings: dict[str, Ruling] = {}
        self.moderators = {"5": "mod"}

    def sanction(self, user_id: str) -> Ruling | None:
        return self.rulings.get(user_id)

    def role(self, user_id: str) -> str:
        return "mod" if user_id in self.moderators else ""

    def roles(self, role: str) -> list[str]:
        return sorted(self.moderators.values()) if role == "mod" else []


@pytest.fixture
def channel() -> Channel:
    return Channel()


@pytest.fixture
def standing(channel: Channel) -> Standing:
    return Standing(cast(Room, SimpleNamespace(channel=channel)))


def act(kind: Any, target: str = "7", login: str = "ann", id: str = "a") -> Act:
    return Act(id, 0, "p", 1, kind, BOSS, target, login)


def ruling(kind: str, seconds: int = 0) -> Ruling:
    return Ruling("r", kind, "7", Position(1, 1), 100.0, seconds, "ann")


def test_what_was_read(standing: Standing, channel: Channel) -> None:
    assert (standing.sanction("7", 0.0), standing.role("7"), standing.hosting) == ("", "", "")
    assert (standing.role("5"), standing.setting("slow"), standing.setting("followers-only")) == ("mod", 0, -1)
    channel.rulings["7"], channel.settings, channel.hosting = ruling("ban"), {"slow": 5}, "eve"
    assert (standing.sanction("7", 0.0), standing.setting("slow"), standing.hosting) == ("ban", 5, "eve")


@pytest.mark.parametrize(
    ("now", "left", "kind"),
    [(90.0, 30, "timeout"), (100.0, 30, "timeout"), (129.1, 1, "timeout"), (130.0, 0, ""), (500.0, 0, "")],
)
def test_a_timeout_ends(standing: Standing, channel: Channel, now: float, left: int, kind: str) -> None:
    """Rule R4."""
    channel.rulings["7"] = ruling("timeout", 30)
    assert (standing.seconds_left("7", now), standing.sanction("7", now)) == (left, kind)


@pytest.mark.parametrize(("kind", "found"), [("ban", "ban"), ("timeout", "timeout"), ("lift", "")])
def test_what_is_on_its_way_counts_until_it_is_settled(
    standing: Standing, channel: Channel, kind: str, found: str
) -> None:
    channel.rulings["7"] = ruling("ban")
    standing.submitted(act(kind))
    assert (standing.sanction("7", 0.0), standing.sanction("8", 0.0)) == (found, "")
    standing.settled("a")
    standing.settled("unknown")
    assert standing.sanction("7", 0.0) == "ban"


def test_of_what_is_on_its_way_the_last_counts(standing: Standing) -> None:
    for number, kind in enumerate(("mod", "vip", "ban", "host")):
        standing.submitted(act(kind, id=str(number)))
    assert (standing.role("7"), standing.sanction("7", 0.0), standing.hosting) == ("vip", "ban", "ann")
    assert (standing.roles("mod"), standing.roles("vip")) == (["mod"], ["ann"])
    standing.submitted(act("unmod", "5", "mod", id="x"))
    standing.submitted(act("unhost", "", "", id="y"))
    standing.submitted(act("unvip", id="z"))
    assert (standing.role("7"), standing.role("5"), standing.hosting) == ("", "", "")
    assert (standing.roles("mod"), standing.roles("vip")) == ([], [])


def test_settings_that_are_on_their_way(standing: Standing, channel: Channel) -> None:
    channel.settings = {"slow": 5}
    standing.submitted(Change("c", 0, "p", 1, BOSS, {"slow": 9}))
    standing.submitted(Change("d", 0, "p", 2, BOSS, {"r9k": 1}))
    assert (standing.setting("slow"), standing.setting("r9k")) == (9, 1)
    standing.settled("c")
    assert (standing.setting("slow"), standing.setting("r9k")) == (5, 1)
