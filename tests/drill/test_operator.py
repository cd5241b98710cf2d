"""The operator asks for moves over HTTP, and says what it is told."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from godwit.drill.operator import ApiError, MoveSeen, Operator
from godwit.errors import MoveRefused
from tests.drill.toy import Toy


@pytest.fixture
async def toy() -> AsyncIterator[Toy]:
    """A server."""
    async with Toy() as toy:
        yield toy


async def test_a_move(toy: Toy) -> None:
    """It is wished for, watched and looked at."""
    operator = Operator(toy.ready.api, toy.ready.admin_token, 2)
    seen = await operator.move("room", "aws")
    assert seen == MoveSeen("m0", "settled", 1)
    assert toy.rooms["room"].home == "aws"
    assert await operator.wait_step(seen) == seen
    assert await operator.look(seen) == seen
    operator.close()


async def test_refused(toy: Toy) -> None:
    """The API's own words come back."""
    toy.sabotage = "refuse"
    operator = Operator(toy.ready.api, toy.ready.admin_token, 1)
    with pytest.raises(MoveRefused, match="it is moving already"):
        await operator.move("room", "aws")
    operator.close()


async def test_errors(toy: Toy) -> None:
    """A wrong token, and a move that is not there."""
    operator = Operator(toy.ready.api, "wrong", 1)
    with pytest.raises(ApiError, match="401 send the token"):
        await operator.move("room", "aws")
    operator.close()
    operator = Operator(toy.ready.api, toy.ready.admin_token, 1)
    with pytest.raises(ApiError, match="404 there is no such thing"):
        await operator.look(MoveSeen("m7", "wished"))
    operator.close()


async def test_nobody_there() -> None:
    """That is an OSError."""
    async with Toy() as toy:
        api = toy.ready.api
    operator = Operator(api, "x", 1)
    with pytest.raises(ConnectionRefusedError):
        await operator.move("room", "aws")
    operator.close()
