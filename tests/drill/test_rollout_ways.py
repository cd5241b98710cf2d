"""A way knows who is to be told of a channel that moved, and who still is not where it ought to be."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from godwit.drill.faults import Tamper
from godwit.drill.ledger import Ledger, Role
from godwit.drill.link import SocketLink
from godwit.drill.plan import TAGGED, Part
from godwit.drill.rollout_api import Home
from godwit.drill.rollout_ways import Way
from godwit.drill.talkers import Client
from godwit.drill.witness import Witness

BEFORE = {"moves": Home("main", 1), "stays": Home("main", 1)}
AFTER = {"moves": Home("aws", 2), "stays": Home("main", 1)}

_numbers = itertools.count()


async def _client(role: Role, *joined: str) -> Client:
    """A client of both channels that is on these clusters."""
    part = Part(f"{role}{next(_numbers)}", role, "tcp", TAGGED, ("moves", "stays"))
    witness = Witness(Ledger(), Tamper("none"), lambda: 0.0)
    client = Client(part, "main", {}, SocketLink.open, witness, asyncio.TaskGroup())
    for room in client.rooms.values():
        room.joined = set(joined)
        room.listening = joined[0] if joined else ""
    return client


async def test_who_is_to_be_told() -> None:
    """Whoever was on the home of a channel that has moved since."""
    there, elsewhere = await _client("legacy", "main"), await _client("legacy", "aws")
    moved, due = Way([there, elsewhere], BEFORE).end(AFTER)
    assert moved == {"moves"}
    assert [(one.client, one.channel, one.source, one.target) for one in due] == [(there, "moves", "main", "aws")]
    assert Way([there], BEFORE).end(BEFORE) == (set(), [])


@pytest.mark.parametrize("role", ["legacy", "follower"])
async def test_who_was_told(role: Role) -> None:
    """On the cluster that was left, since the way began; a follower must have gone as well."""
    client = await _client(role, "main")
    room = client.rooms["moves"]
    room.changes["main"] = 3
    way = Way([client], BEFORE)
    room.changes["aws"] += 1
    (due,) = way.end(AFTER)[1]
    assert (due.told, due.done) == (False, False)
    assert due.fault == f"{client.part.name} was not told of #moves to aws"
    room.changes["main"] += 1
    assert (due.told, due.done) == (True, role == "legacy")
    assert due.fault == f"{client.part.name} has not followed #moves to aws"
    room.joined, room.listening = {"main", "aws"}, "aws"
    assert due.done == (role == "legacy")
    room.joined = {"aws"}
    assert due.done
