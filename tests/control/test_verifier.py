"""What the verifier reads, and what it says when there is no answer."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from godwit.control.verifier import MARGIN, Verifier
from godwit.errors import ChatLogUnavailable, StoreUnavailable
from godwit.rollout import moves
from godwit.settings import LogSettings
from godwit.values import Move
from tests.control.world import Faulty, World, quiet


def _verifier(world: World, **faulty: object) -> Verifier:
    given: dict[str, object] = {"store": world.store, "logs": world.logs} | faulty
    return Verifier(given["store"], given["logs"], world.clock, LogSettings())  # type: ignore[arg-type]


async def _moved(**options: Any) -> tuple[World, Move]:
    world = World()
    await world.start()
    move = await world.mover(**options).carry(await world.wish())
    await world.say("aws", 2, 2)
    return world, move


async def test_a_move_is_verified_and_still_is_when_everything_has_expired() -> None:
    world, move = await _moved()
    assert await _verifier(world).verify([move]) == ["ok"]
    world.clock.advance(60.0)
    move = await world.mover().settle(move)
    assert await _verifier(world).verify([move]) == ["ok"]
    world.clock.advance(10_000.0)
    for log in world.logs.values():
        log.expire()
    assert (await _verifier(world).verify([move]))[0].startswith("ok (records of main up to ")


async def test_a_switch_without_a_seal_is_found_and_logged() -> None:
    world, move = await _moved(skip_seal=True)
    with capture_logs() as logs:
        assert await _verifier(world).verify([move]) == ["main has no seal"]
    assert [(entry["event"], entry["wrong"]) for entry in logs] == [("move_not_well", "main has no seal")]


async def test_a_line_that_nobody_said_again_is_found_among_many() -> None:
    """The logs are read to their ends, a page at a time."""
    world, move = await _moved()
    for number in range(2, 1200):
        await world.say("main", 1, number)
        if number != 777:
            await world.say("aws", 2, number)
    assert await _verifier(world).verify([move]) == ["ok (p777 came behind the seal and may still be said again)"]
    world.clock.advance(LogSettings().hold + MARGIN + 1.0)
    assert await _verifier(world).verify([move]) == ["p777 came behind the seal and was not said again"]


async def test_a_log_that_was_lost_is_told() -> None:
    world, move = await _moved()
    world.lose_log("main")
    assert await _verifier(world).verify([move]) == ["ok (the log of main is gone)"]
    del world.logs["aws"]
    assert await _verifier(world).verify([move]) == ["ok (the log of main is gone; the log of aws is gone)"]


async def test_a_move_that_never_opened_has_nothing_to_verify() -> None:
    world = World()
    await world.start()
    move = await world.wish()
    assert await _verifier(world).verify([move]) == [""]
    assert await _verifier(world).verify([moves.begin(move, await world.placement())]) == [""]


@pytest.mark.parametrize("error", [StoreUnavailable("gone"), ChatLogUnavailable("gone"), TimeoutError()])
async def test_without_an_answer_nothing_is_said(error: Exception) -> None:
    world, move = await _moved()

    def fail(name: str, done: bool) -> None:
        raise error

    broken = {"main": Faulty(world.logs["main"], fail)} | {"aws": world.logs["aws"]}
    given = {"store": Faulty(world.store, fail)} if isinstance(error, StoreUnavailable) else {"logs": broken}
    with capture_logs() as logs:
        assert await _verifier(world, **given).verify([move]) == [""]
    assert [entry["event"] for entry in logs] == ["not_verified"]
    assert await _verifier(world, store=Faulty(world.store, quiet)).verify([move]) == ["ok"]


async def test_many_are_verified_with_one_question() -> None:
    world, move = await _moved()
    asked: list[str] = []
    store = Faulty(world.store, lambda name, done: asked.append(name))
    other = msgspec.structs.replace(move, channel="other")
    wished = Move("m9", "room", "aws", "wished")
    assert await _verifier(world, store=store).verify([move, wished, other]) == [
        "ok",
        "",
        "the store's chain has no segment aws/2 at 1; main has no seal; aws has no open record at 1",
    ]
    assert set(asked) == {"chains"}
