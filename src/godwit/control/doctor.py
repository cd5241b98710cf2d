"""Compares what the store, the logs and the edges say (`control/repair.py` does the steps that are missing).

What is under way looks wrong for a moment: whatever is found is looked at once more, and counts only if it
is still so. The work goes page by page, and lets others run in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import pairwise
from typing import TypeVar

import structlog

from godwit.chatlog.base import ChatLog
from godwit.clock import Clock
from godwit.control.findings import Finding, Findings
from godwit.control.leader import LEASE
from godwit.control.ports import Crowd
from godwit.errors import ChatLogUnavailable
from godwit.rollout import moves, progress
from godwit.rollout.values import ENDED, Item, Rollout
from godwit.settings import Settings
from godwit.store.base import MOVING
from godwit.store.rollout_base import HIDDEN, RolloutStore
from godwit.values import ROOM, Placement, Seal, Segment

log = structlog.get_logger()

Answer = TypeVar("Answer")

PAGE = 500
"""Channels, items or records that are read at a time."""

TOLD = 10_000
"""Channels after which the log says how far it is."""

MOMENT = 1.0
"""Seconds after which what was found is looked at once more."""

STUCK = 300.0
"""Seconds that a step of a move may take, its drain not counted."""

GRACE = 60.0
"""Seconds that a drain, or an item, may be late."""

JOINTS = 5
"""Of a channel's chain, so many of the last joints are compared with the logs."""

MANY = 100_000
"""Unfinished moves that are read at once, at most."""

ANSWER = 5.0
"""Seconds that a log may take to answer."""


async def ready_to_retire(store: RolloutStore, cluster: str) -> list[str]:
    """Say why a cluster cannot be retired yet; an empty list if it can."""
    reasons = []
    if (await store.clusters_in_use()).get(cluster) and (homed := await _homed(store, cluster)):
        reasons.append(f"{homed} channels are still there: move them first")
    if (await store.default_placement()).cluster == cluster:
        reasons.append("channels without a row are still there: change the default placement first")
    unfinished = [move for move in await store.moves(unfinished=True, limit=MANY) if _counts(move.channel)]
    left = [move for move in unfinished if move.source is not None and move.source.cluster == cluster]
    draining = sum(move.state == "draining" for move in left)
    if draining:
        reasons.append(f"{draining} channels are still drained from it: wait for the end of their drains")
    coming = sum(move.target == cluster and move.state != "draining" for move in unfinished)
    if under_way := coming + len(left) - draining:
        reasons.append(f"{under_way} moves to or from it are not finished")
    for rollout in await store.rollouts():
        if rollout.state not in ENDED and rollout.definition.to == cluster:
            reasons.append(f"rollout {rollout.definition.name} ({rollout.id}) goes there and is {rollout.state}")
    return reasons


async def _homed(store: RolloutStore, cluster: str) -> int:
    """How many channels are on a cluster that would have to move before it is retired."""
    homed, after = 0, ""
    while rows := await store.rows(after, PAGE):
        homed += sum(row.segment.cluster == cluster and _counts(row.channel) for row in rows)
        after = rows[-1].channel
        await asyncio.sleep(0)
    return homed


def _counts(channel: str) -> bool:
    """Whether a channel is one of people's: neither a hidden room nor a group room, which stay where they are."""
    return moves.is_movable(channel) and not channel.startswith(HIDDEN) and ROOM.fullmatch(channel) is None


class Doctor:
    """Examines a network.

    Args:
        store, logs, crowd, clock: the ports; `logs` by cluster.
        sleep: how pauses are made.
    """

    def __init__(
        self,
        store: RolloutStore,
        logs: Mapping[str, ChatLog],
        crowd: Crowd,
        clock: Clock,
        settings: Settings,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._logs = logs
        self._crowd = crowd
        self._clock = clock
        self._settings = settings
        self._sleep = sleep

    async def examine(self) -> Findings:
        """Look at everything; changes nothing.

        Raises:
            StoreUnavailable, ChatLogUnavailable: it could not be looked at.
        """
        began = self._clock.now()
        found = await self._network()
        channels, after = 0, ""
        while rows := await self._store.rows(after, PAGE):
            found += await self._channels(rows)
            channels, after = channels + len(rows), rows[-1].channel
            if channels // TOLD != (channels - len(rows)) // TOLD:
                log.info("doctor_looks", channels=channels, found=len(found))
            await asyncio.sleep(0)
        looked_at, stuck = await self._moves()
        items, strays = await self._all_items()
        confirmed = await self._confirm([*found, *stuck, *strays])
        seconds = self._clock.now() - began
        for finding in confirmed:
            log.warning("doctor_found", kind=finding.kind, channel=finding.channel, what=finding.what)
        log.info("doctor_done", channels=channels, moves=looked_at, items=items, found=len(confirmed), seconds=seconds)
        return Findings(tuple(confirmed), not confirmed, channels, looked_at, items, began, seconds)

    async def confirm(self, findings: Sequence[Finding]) -> list[Finding]:
        """Those of earlier findings that are still so now."""
        again = set(await self._again(findings))
        return [finding for finding in findings if finding in again]

    async def _confirm(self, findings: list[Finding]) -> list[Finding]:
        """What is still so a moment later; of edges, a lease later: until then they may know no better (C7)."""
        if findings:
            await self._sleep(MOMENT)
            findings = await self.confirm(findings)
        if any(finding.kind == "lagging-edge" for finding in findings):
            await self._sleep(self._settings.move.lease)
            findings = await self.confirm(findings)
        return findings

    async def _again(self, findings: Sequence[Finding]) -> list[Finding]:
        found = await self._network()
        names = sorted({finding.channel for finding in findings if finding.channel and not finding.rollout})
        for start in range(0, len(names), PAGE):
            found += await self._channels(await self._store.placements(names[start : start + PAGE]))
        if any(finding.kind == "stuck-move" for finding in findings):
            found += (await self._moves())[1]
        rollouts = {rollout.id: rollout for rollout in await self._store.rollouts()}
        for finding in findings:
            if finding.rollout in rollouts:
                item = await self._store.item(finding.rollout, finding.channel)
                found += await self._items(rollouts[finding.rollout], [item] if item else [])
        return found

    # the network ------------------------------------------------------------------------------

    async def _network(self) -> list[Finding]:
        found = []
        default = await self._store.default_placement()
        chat_log = self._logs.get(default.cluster)
        if chat_log is None:
            found.append(Finding("unknown-cluster", f"the default placement is on {default.cluster}, which has no log"))
        elif chat_log.stream("") != default.stream:
            what = f"the log of {default.cluster} is not the one that the default placement names"
            found.append(Finding("dead-default", what, repair=f"open {default.cluster} anew", force=True, to=default))
        if default.cluster in await self._store.retired():
            found.append(Finding("retired-cluster", f"the default placement is on {default.cluster}, which is retired"))
        now = self._clock.now()
        lease = await self._store.lead(LEASE, "doctor", now=now, until=now)
        if lease.holder == "doctor":  # it was free; whoever leads next takes a term of its own
            found.append(Finding("no-leader", "nobody holds the controller's lease: nothing moves"))
        return found

    # channels ---------------------------------------------------------------------------------

    async def _channels(self, rows: Sequence[Placement]) -> list[Finding]:
        """What is wrong with some channels that have rows."""
        names = [row.channel for row in rows]
        chains = await self._store.chains(names)
        views = await self._crowd.views(names)
        retired = await self._store.retired()
        heads = await self._heads(rows)
        found: list[Finding] = []
        for row, chain in zip(rows, chains, strict=True):
            name, here = row.channel, row.segment
            if not chain or chain[-1] != here:
                found.append(Finding("chain", f"its chain does not end with its placement, {_name(here)}", name))
                continue
            if here.cluster in retired and _counts(name):
                found.append(Finding("retired-cluster", f"it is on {here.cluster}, which is retired", name))
            if here.cluster not in self._logs:
                found.append(Finding("unknown-cluster", f"it is on {here.cluster}, which has no log here", name))
            elif not self._holds(name, here):
                what = f"the log of {here.cluster} is not the one that {_name(here)} names"
                found.append(Finding("dead-segment", what, name, repair="open it anew", force=True, to=here))
            elif heads.get(name, 0) > here.at and (seal := await self._uncommitted(name, here)):
                what = f"the seal in the log of {here.cluster} goes to {_name(seal.to)}, the store says {_name(here)}"
                found.append(Finding("uncommitted-seal", what, name, repair="commit it", source=here, to=seal.to))
            found += await self._joints(name, chain)
            found += [
                Finding("lagging-edge", f"edge {edge} stands in {_name(view)}, the store says {_name(here)}", name)
                for edge, view in views.get(name, ())
                if view.epoch < here.epoch
            ]
            if row.phase == "draining" and row.drain_until + GRACE < self._clock.now() and not await self._moving(name):
                what = f"the drain of {_name(here)} is over, and no move ends it"
                found.append(Finding("overdue-drain", what, name, repair="end it", to=here))
        return found

    def _holds(self, channel: str, segment: Segment) -> bool:
        """Whether the log of a segment is here, and is the one that it names (rule L2)."""
        chat_log = self._logs.get(segment.cluster)
        return chat_log is not None and chat_log.stream(channel) == segment.stream

    async def _heads(self, rows: Sequence[Placement]) -> dict[str, int]:
        by_cluster: dict[str, list[str]] = {}
        for row in rows:
            by_cluster.setdefault(row.segment.cluster, []).append(row.channel)
        found: dict[str, int] = {}
        for cluster, names in by_cluster.items():
            if chat_log := self._logs.get(cluster):
                found |= zip(names, await self._in_time(chat_log.heads(names)), strict=True)
        return found

    async def _in_time(self, answer: Awaitable[Answer]) -> Answer:
        try:
            async with asyncio.timeout(ANSWER):
                return await answer
        except TimeoutError as error:
            raise ChatLogUnavailable(f"a chat log gave no answer within {ANSWER:g} s") from error

    async def _uncommitted(self, channel: str, segment: Segment) -> Seal | None:
        """The seal that ended the segment which the store believes to be the newest (rules C2, C3)."""
        return (await self._first_seal(channel, segment))[0]

    async def _first_seal(self, channel: str, segment: Segment) -> tuple[Seal | None, bool]:
        """The first valid seal of a segment, and whether nothing behind the segment's beginning has expired."""
        after, whole = segment.at, True
        while True:
            page = await self._in_time(self._logs[segment.cluster].read(channel, after, PAGE))
            whole = whole and page.floor <= segment.at and page.stream == segment.stream
            seal = moves.first_valid_seal(segment, page.entries)
            if seal or not page.more:
                return seal, whole
            after = page.upto
            await asyncio.sleep(0)

    async def _joints(self, channel: str, chain: Sequence[Segment]) -> list[Finding]:
        """The joints of a chain that its seals do not bear out, as far as the logs still have them."""
        found = []
        for old, new in list(pairwise(chain))[-JOINTS:]:
            if new.unclean or not self._holds(channel, old):
                continue
            seal, whole = await self._first_seal(channel, old)
            if seal is None and whole:
                what = f"the log of {old.cluster} has no seal from {_name(old)} to {_name(new)}"
                mend = f"seal it, towards {_name(new)}"
                found.append(Finding("missing-seal", what, channel, repair=mend, force=True, source=old, to=new))
            elif seal is not None and seal.to != new:
                what = f"{_name(old)} was sealed towards {_name(seal.to)}, its chain goes on in {_name(new)}"
                found.append(Finding("joint", what, channel))
        return found

    async def _moving(self, channel: str) -> bool:
        return bool(await self._store.moves(channel=channel, unfinished=True, limit=1))

    # moves ------------------------------------------------------------------------------------

    async def _moves(self) -> tuple[int, list[Finding]]:
        """How many moves are unfinished, and those of them that do not go on."""
        unfinished = await self._store.moves(unfinished=True, limit=MANY)
        now, found = self._clock.now(), []
        for move in unfinished:
            since = move.history[-1][1] if move.history else 0.0
            allowed = STUCK + (self._settings.move.drain if move.state == "draining" else 0.0)
            if now - since > allowed:
                what = f"move {move.id} to {move.target} has been {move.state} for more than {allowed:g} s"
                found.append(Finding("stuck-move", what, move.channel))
        return len(unfinished), found

    # items of rollouts ------------------------------------------------------------------------

    async def _all_items(self) -> tuple[int, list[Finding]]:
        """How many items of rollouts that still count were looked at, and those that are wrong."""
        count, found = 0, list[Finding]()
        for place, rollout in enumerate(await self._store.rollouts()):
            for state in ("done", "moving") if place == 0 or rollout.state not in ENDED else ():
                after = ""
                while page := await self._store.items(rollout.id, state=state, after=after, limit=PAGE):
                    found += await self._items(rollout, page)
                    count, after = count + len(page), page[-1].channel
                    await asyncio.sleep(0)
        return count, found

    async def _items(self, rollout: Rollout, items: Sequence[Item]) -> list[Finding]:
        """The items among these that say something else than placements and the journal."""
        placements = await self._store.placements([item.channel for item in items])
        found = []
        for item, placement in zip(items, placements, strict=True):
            goal, there = progress.destination(item, rollout.definition), placement.segment.cluster
            mend = "" if rollout.state in ENDED else f"set it to {'done' if there == goal else 'waiting'}"
            about = f"in rollout {rollout.definition.name} it is {item.state}"
            if item.state == "done" and there != goal and not await self._moved_on(rollout, item, placement):
                what = f"{about}, on {goal}, but the channel is on {there}"
                found.append(Finding("item-elsewhere", what, item.channel, rollout.id, mend))
            elif item.state == "moving" and not await self._carried(item):
                what = f"{about}, but its move {item.move} is not under way"
                found.append(Finding("item-without-move", what, item.channel, rollout.id, mend))
        return found

    async def _carried(self, item: Item) -> bool:
        """Whether the move of an item is on its way, or was until a moment ago."""
        if item.since + GRACE > self._clock.now():
            return True
        move = await self._store.move(item.move)
        return move is not None and move.state in MOVING

    async def _moved_on(self, rollout: Rollout, item: Item, placement: Placement) -> bool:
        """Whether the channel of an item is moved again, or was by somebody else since the rollout is over."""
        if await self._moving(item.channel):
            return True
        move = await self._store.move(item.move) if item.move else None
        return rollout.state in ENDED and (move is None or placement.segment.epoch > move.epoch > 0)


def _name(segment: Segment) -> str:
    return f"{segment.cluster}/{segment.epoch}"
