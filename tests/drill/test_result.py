"""Options are checked; a result is green only if everything is exact."""

from __future__ import annotations

from dataclasses import fields

import msgspec
import pytest

from godwit.drill.ledger import Count
from godwit.drill.result import DemoOptions, Node, Result, help_of, judge
from godwit.errors import InvalidSetting

OPTIONS = DemoOptions(channels=2, talkers=2, followers=1, legacy=1, moves=2)
GOOD = Count(
    sent=5, acknowledged=5, expected=15, delivered=15, overlap=3, longest_silence_ms={"follower": 1.26, "legacy": 2.0}
)


def _judge(
    count: Count = GOOD, *, moves: int = 4, told: tuple[int, int] = (8, 8), problems: tuple[str, ...] = ()
) -> Result:
    return judge(OPTIONS, count, moves=moves, told=told, seconds=1.234, problems=list(problems))


def test_green() -> None:
    """All is told, in the verdict and as JSON."""
    result = _judge()
    assert result.ok
    assert result.verdict == (
        "godwit demo: OK: 5 messages, 15 of 15 lines delivered to 4 clients through 4 moves of 2 channels; "
        "0 lost, 0 repeated, 0 misordered, 0 not acknowledged; longest silence: follower 1 ms, legacy 2 ms; 1.2 s"
    )
    plain = msgspec.to_builtins(result)
    assert plain["longest_silence_ms"] == {"follower": 1.3, "legacy": 2.0}
    asked_for = "channels moves sent acknowledged expected delivered lost duplicated misordered unacknowledged"
    assert {*asked_for.split(), "longest_silence_ms", "serverchange_seen", "seconds"} <= set(plain)


@pytest.mark.parametrize("field", ["unacknowledged", "lost", "duplicated", "misordered", "foreign"])
def test_red_by_one(field: str) -> None:
    """There is no tolerance."""
    assert not _judge(msgspec.structs.replace(GOOD, **{field: 1})).ok


@pytest.mark.parametrize("field", ["sent", "acknowledged", "expected", "delivered"])
def test_red_if_sums_differ(field: str) -> None:
    """What was sent was acknowledged, what was expected was delivered."""
    assert not _judge(msgspec.structs.replace(GOOD, **{field: 99})).ok


def test_red_otherwise() -> None:
    """Moves that are not done, members who were not told, anything else, and an empty account."""
    assert _judge(moves=3).problems == ("3 moves done, not 4",)
    assert _judge(told=(8, 7)).problems == ("8 had to see SERVERCHANGE, 7 did",)
    assert not _judge(problems=("the server ended with status 1",)).ok
    assert not _judge(Count()).ok


def test_many_processes() -> None:
    """The verdict says how many, and how the clients were spread."""
    edges = [Node(f"edge-main-{number}", "edge", "main", number) for number in (1, 2)]
    nodes = (Node("postgres", "postgres", "", 0), *edges)
    result = judge(OPTIONS, GOOD, moves=4, told=(8, 8), seconds=1.234, problems=[], nodes=nodes)
    assert result.verdict.endswith("; 3 processes, connections: edge-main-1 1, edge-main-2 2; 1.2 s")
    assert msgspec.to_builtins(result)["nodes"][2] == {
        "name": "edge-main-2",
        "role": "edge",
        "cluster": "main",
        "connections": 2,
    }
    assert msgspec.to_builtins(_judge())["nodes"] == ()


def test_red_verdict() -> None:
    """It names the first problem; not all are named."""
    result = _judge(msgspec.structs.replace(GOOD, lost=1, delivered=14), problems=tuple("abc" * 10))
    assert result.verdict == (
        "godwit demo: FAILED: 14 of 15 lines delivered, "
        "1 lost, 0 repeated, 0 misordered, 0 not acknowledged; first problem: a"
    )
    assert len(result.problems) == 20


def test_default_size() -> None:
    """At least 20 channels, 200 clients, 2 moves per channel."""
    options = DemoOptions()
    assert (options.channels, options.clients, options.moves) == (20, 200, 2)


@pytest.mark.parametrize(
    "sizes",
    [
        {"channels": 0},
        {"channels": 1000},
        {"talkers": 0},
        {"followers": -1},
        {"legacy": -1},
        {"moves": -1},
        {"followers": 0, "legacy": 0, "talkers": 20},
    ],
)
def test_bad_options(sizes: dict[str, int]) -> None:
    """One line says what must be."""
    with pytest.raises(InvalidSetting, match="--"):
        DemoOptions(**sizes)  # type: ignore[arg-type]


def test_every_option_has_a_help_text() -> None:
    """For the command line."""
    assert all(help_of(item.name) for item in fields(DemoOptions))
