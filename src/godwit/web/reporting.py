"""The report of a rollout, put together from what the store holds."""

from __future__ import annotations

import asyncio

from godwit.rollout.outcome import Report, Reporter
from godwit.rollout.values import Rollout
from godwit.store.rollout_base import RolloutStore
from godwit.web.status import Samples

PAGE = 1000
"""Items or events that are read at a time."""

EVERY = 2**31 - 1
"""A limit that cuts nothing off."""


async def report(store: RolloutStore, rollout: Rollout, samples: Samples | None = None) -> Report:
    """Make the report of a rollout, as it is now.

    Args:
        samples: what gates answered lately; None if nobody here knows.
    """
    reporter = Reporter(rollout)
    channel = ""
    while items := await store.items(rollout.id, after=channel, limit=PAGE):
        for item in items:
            reporter.item(item)
        channel = items[-1].channel
    for number, move in enumerate(await store.moves(rollout=rollout.id, limit=EVERY)):
        reporter.move(move)
        if number % PAGE == 0:
            # Others are to have their turn while a hundred thousand moves are counted.
            await asyncio.sleep(0)
    for issue in await store.issues(rollout.id):
        reporter.issue(issue)
    after = 0
    while events := await store.feed(after=after, rollout=rollout.id, limit=PAGE):
        for event in events:
            reporter.event(event)
        after = events[-1].number
    if samples is not None:
        for index, wave in enumerate(rollout.definition.waves):
            for gate in wave.gates:
                for sample in samples(rollout.id, index, gate.name):
                    reporter.sample(wave.name, sample)
    return reporter.report()
