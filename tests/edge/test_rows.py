"""The rows of what lasts in a channel, and their positions (rules R2, R3)."""

from __future__ import annotations

from typing import cast

import pytest

from godwit.chat.room import Ruling, Valid
from godwit.edge.history import Recall
from godwit.edge.ports import Backend
from godwit.edge.rows import Rows
from godwit.store.base import Sanction
from godwit.values import Act, Author, Change, Message, Position, Produced

ANN = Author("1", "ann")


class Placed:
    """Notes what is to be placed."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def place_sanction(self, sanction_id: str, position: Position, time: float) -> None:
        self.calls.append(f"{sanction_id} {position} {time:g}")


@pytest.fixture
def backend() -> Placed:
    return Placed()


@pytest.fixture
def rows(backend: Placed) -> Rows:
    return Rows(Recall(5, lambda *_: None), cast(Backend, backend), 30.0)


def row(name: str, kind: str = "ban", position: Position | None = None, time: float = 0.0) -> Sanction:
    return Sanction(name, "room", kind, "7", "bob", "ann", "why", 9, position, time)  # type: ignore[arg-type]


def act(kind: str = "ban", name: str = "a1") -> Act:
    return Act(name, 1, "p", 1, kind, ANN, "7", "bob", 9)  # type: ignore[arg-type]


def valid(record: Produced, sequence: int = 5) -> Valid:
    return Valid(record, Position(1, sequence), 50.0)


def test_rows_with_a_position_are_rulings(rows: Rows) -> None:
    rows.learn([row("a", "timeout", Position(1, 2), 40.0), row("b", time=100.0)], asked_at=100.0)
    assert rows.rulings == [Ruling("a", "timeout", "7", Position(1, 2), 40.0, 9, "bob")]
    assert rows.incomplete


def test_a_row_whose_act_will_not_come_any_more(rows: Rows) -> None:
    rows.learn([row("a", time=70.0)], asked_at=100.0)
    assert rows.incomplete
    rows.learn([row("a", time=69.9)], asked_at=100.0)
    assert not rows.incomplete


@pytest.mark.parametrize("kind", ["ban", "timeout", "lift", "mod", "unmod", "vip", "unvip", "host", "unhost"])
def test_an_act_that_is_read_gets_its_row_a_position(rows: Rows, backend: Placed, kind: str) -> None:
    rows.learn([row("a1", kind, time=100.0)], asked_at=100.0)
    rows.complete(valid(act(kind)))
    assert backend.calls == ["a1 1-5 50"]
    assert not rows.incomplete
    assert rows.placing
    target = "" if kind in ("host", "unhost") else "7"
    assert rows.rulings == [Ruling("a1", kind, target, Position(1, 5), 50.0, 9, "bob")]
    rows.placed("a1")
    assert not rows.placing


def test_a_change_of_settings_too(rows: Rows, backend: Placed) -> None:
    rows.complete(valid(Change("c1", 1, "p", 1, ANN, {"slow": 30})))
    assert backend.calls == ["c1 1-5 50"]
    assert rows.rulings == [Ruling("c1", "set", "slow", Position(1, 5), 50.0, 30)]


@pytest.mark.parametrize("record", [act("clear"), act("delete"), act("raid"), Message("m", 1, "p", 1, ANN, "hi")])
def test_what_passes_has_no_row(rows: Rows, backend: Placed, record: Produced) -> None:
    rows.complete(valid(record))
    assert backend.calls == []
    assert rows.rulings == []


def test_a_row_that_has_its_position_is_left_alone(rows: Rows, backend: Placed) -> None:
    rows.learn([row("a1", position=Position(1, 5), time=50.0)], asked_at=100.0)
    rows.complete(valid(act()))
    assert backend.calls == []
    assert not rows.placing


def test_the_store_is_told_until_it_has_it(rows: Rows, backend: Placed) -> None:
    rows.complete(valid(act()))
    rows.place_again()
    rows.placed("a1")
    rows.place_again()
    assert backend.calls == ["a1 1-5 50"] * 2
