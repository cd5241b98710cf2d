"""Storms: thousands come in at once, and what those notice of it who talk in another room of the same server.

The crowd that comes is a process of its own with a lower priority than the bystanders' clients, which share its core:
so what these measure is the server's doing.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection as Pipe
from typing import Any

from bench.moderation import furnish
from bench.sizes import Found, Sizes
from bench.tally import Account, add
from bench.targets import LOAD_CORE, Target, godwit, pin
from godwit.load.crowd import PATIENCE, Crowd, Shape
from godwit.load.dialects import Dialect
from godwit.load.loops import Result, steady
from godwit.roles.child import end_with_parent

RATE = 200.0
"""Lines a second that bystanders say."""

BYSTANDERS = Shape(members=10, senders=2, name="q")

SPELL = 0.5
"""Seconds of talk in which a latency is taken; the worst spell of a storm counts."""

ROOMS = 19
"""Rooms that a storm goes to."""

NICENESS = 15


@dataclass(frozen=True, slots=True)
class Storm:
    """Who comes, and how; who came in the storm before hangs up first, all at once, as after a RECONNECT.

    Attributes:
        accounts: they log in with accounts, not anonymously.
        at_once: connections under way at the same time; 0 for all. The system's queue of a listener holds 4,096
            (`net.core.somaxconn`): whom it drops tries again by itself after a second, then after three, then seven.
    """

    title: str
    accounts: bool = False
    at_once: int = 4_000


STORMS = (
    Storm("anonymous"),
    Storm("back again"),
    Storm("back, all at once", at_once=0),
    Storm("new accounts", accounts=True),
    Storm("known accounts", accounts=True),
)


COMMAND = Storm("told to come back by an operator, all at once", at_once=0)
"""The cluster that they are on is retired; the bystanders are on the one that its addresses serve from then on."""


async def storm(sizes: Sizes) -> Found:
    """All come at once, with CAP, login and JOIN in one write: how fast, and the latency of bystanders meanwhile."""
    return await asyncio.to_thread(_storm, sizes)


def _storm(sizes: Sizes) -> Found:
    rows, results = [], []
    pin(LOAD_CORE)
    for accounts in (False, True):
        with godwit() as target, _other_process() as pipe:
            crowd = Crowd(target.tcp, Dialect(tagged=True), BYSTANDERS)
            furnish(target, crowd)
            crowd.connect()
            steady(crowd, RATE, sizes.seconds / 10, 0.0)  # warming up
            quiet = [steady(crowd, RATE, SPELL, 0.0) for _ in range(6)]
            results += quiet
            for kind in STORMS:
                if kind.accounts is accounts:
                    row, during = _come(kind, sizes.storm, target, crowd, pipe)
                    results += during
                    rows.append({**row, "without": _latency(quiet)})
            crowd.close()
    row, during = _retire(sizes)
    results += during
    return Found([*rows, row], add(account_of(result) for result in results))


def _retire(sizes: Sizes) -> tuple[dict[str, Any], list[Result]]:
    """Have all who came told to reconnect (RC-3), by the command that an operator has for that."""
    with godwit() as target, _other_process() as pipe:
        _operate(target, "default", "aws")
        beside = replace(target, tcp=target.ready["clusters"]["aws"]["tcp"])
        crowd = Crowd(beside.tcp, Dialect(tagged=True), BYSTANDERS)
        furnish(beside, crowd)
        crowd.connect()
        steady(crowd, RATE, sizes.seconds / 10, 0.0)  # warming up
        quiet = [steady(crowd, RATE, SPELL, 0.0) for _ in range(6)]
        _, coming = _come(replace(COMMAND, title="", at_once=4_000), sizes.storm, target, crowd, pipe)
        with ThreadPoolExecutor(1) as operator:
            operated = operator.submit(_operate, target, "retire", "main", "--into", "aws")
            row, during = _come(COMMAND, sizes.storm, target, crowd, pipe, told=True)
            operated.result()
        crowd.close()
    return {**row, "without": _latency(quiet)}, [*quiet, *coming, *during]


def _operate(target: Target, *words: str) -> None:
    """Do what an operator does with `godwit cluster`."""
    api = ("--api", target.ready["api"], "--token", target.ready["admin_token"], "--reason", "bench")
    subprocess.run([sys.executable, "-m", "godwit", "cluster", *words, *api], check=True, capture_output=True)


def _come(
    kind: Storm, count: int, target: Target, bystanders: Crowd, pipe: Pipe, told: bool = False
) -> tuple[dict[str, Any], list[Result]]:
    members = max(1, count // ROOMS)
    shape = Shape(rooms=ROOMS, members=members, senders=members if kind.accounts else 0, name="s")
    before = target.cpu()
    pipe.send((target.tcp, shape, kind.at_once or ROOMS * members, told))
    during = []
    while not pipe.poll():
        during.append(steady(bystanders, RATE, SPELL, 0.0))
    found = pipe.recv()
    if isinstance(found, str):
        raise RuntimeError(f"the storm did not come in: {found}")
    seconds, busy = found
    row = {
        "storm": kind.title,
        "connections": ROOMS * members,
        "per_s": round(ROOMS * members / seconds),
        "server_us": round((target.cpu() - before) / (ROOMS * members) * 1e6),
        "load_busy": round(busy, 2),
        "during": _latency(during),
    }
    return row, during


def _latency(spells: list[Result]) -> dict[str, float]:
    """Of the worst of several spells."""
    return {name: round(max(getattr(spell, name) for spell in spells), 1) for name in ("p50_ms", "p99_ms", "max_ms")}


def account_of(result: Result) -> Account:
    """What a run of talk found, as the bench counts."""
    return Account(
        said=result.messages,
        expected=result.expected,
        delivered=result.expected - result.lost,
        lost=result.lost,
        repeated=result.repeated,
        misordered=result.misordered,
    )


@contextmanager
def _other_process() -> Iterator[Pipe]:
    """A process that comes in as it is told: address and shape; who was in before hangs up then."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_obey, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours
    finally:
        ours.close()
        process.join()


def _all_told(crowd: Crowd) -> bool:
    """Wait until all were told to come back, or nobody else is for long."""
    news, told = time.monotonic(), crowd.told
    while crowd.told < crowd.shape.rooms * crowd.shape.members:
        crowd.tend(0.1)
        if crowd.told > told:
            news, told = time.monotonic(), crowd.told
        elif time.monotonic() > news + PATIENCE:
            return False
    return True


def _obey(pipe: Pipe) -> None:
    end_with_parent()
    pin(LOAD_CORE)
    os.nice(NICENESS)
    crowd: Crowd | None = None
    while True:
        try:
            address, shape, at_once, told = pipe.recv()
        except EOFError:
            return
        if crowd is not None:
            if told and not _all_told(crowd):
                pipe.send(f"only {crowd.told} were told to come back")
                return
            crowd.close()
        crowd = Crowd(address, Dialect(tagged=True), shape)
        used = os.times()
        try:
            seconds = crowd.connect(at_once)
        except Exception as error:
            pipe.send(repr(error))
            return
        now = os.times()
        crowd.listen(b" RECONNECT")
        pipe.send((seconds, (now.user + now.system - used.user - used.system) / seconds))
