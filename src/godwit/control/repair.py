"""Does the steps that the doctor found missing. Each is one that a controller or an edge would have done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec
import structlog

from godwit.chatlog.base import ChatLog
from godwit.clock import Clock
from godwit.control.doctor import Doctor
from godwit.control.findings import Finding
from godwit.rollout import progress
from godwit.rollout.values import Advance
from godwit.settings import MoveSettings
from godwit.store.rollout_base import RolloutStore
from godwit.values import Seal

log = structlog.get_logger()


class Repair:
    """Repairs what was found.

    Args:
        doctor: looks once more before anything is done.
        store, logs, clock: the ports; `logs` by cluster.
        write: writes a decision as the leading controller does.
    """

    def __init__(
        self,
        doctor: Doctor,
        store: RolloutStore,
        logs: Mapping[str, ChatLog],
        clock: Clock,
        settings: MoveSettings,
        write: Callable[[Advance], Awaitable[object]],
    ) -> None:
        self._doctor = doctor
        self._store = store
        self._logs = logs
        self._clock = clock
        self._settings = settings
        self._write = write
        self._steps: dict[str, Callable[[Finding], Awaitable[None]]] = {
            "dead-segment": self._open_anew,
            "dead-default": self._open_anew,
            "uncommitted-seal": self._commit,
            "missing-seal": self._seal,
            "overdue-drain": self._settle,
            "item-elsewhere": self._set_item,
            "item-without-move": self._set_item,
        }

    async def repair(self, findings: Sequence[Finding], *, dry: bool, force: bool) -> list[str]:
        """Do what is missing, where it still is.

        Args:
            dry: do nothing, only say what would be done.
            force: do also what may lose lines, or have them told of as missing.

        Returns:
            The steps, one line each; at the end how many need force, if it was not given.

        Raises:
            StoreUnavailable, ChatLogUnavailable, StaleEpoch: some may have been done; repair again.
        """
        steps, forced, opened = list[str](), 0, set[str]()
        for finding in await self._doctor.confirm([finding for finding in findings if finding.repair]):
            if finding.force and not force:
                forced += 1
                continue
            if finding.kind in ("dead-segment", "dead-default") and finding.to:
                if finding.to.cluster in opened:
                    continue  # all that its log held was opened together
                opened.add(finding.to.cluster)
            steps.append(f"#{finding.channel}: {finding.repair}" if finding.channel else finding.repair)
            if not dry:
                await self._steps[finding.kind](finding)
                log.warning("repaired", kind=finding.kind, channel=finding.channel, did=finding.repair)
        if forced:
            steps.append(f"{forced} need force: --force --reason TEXT")
        return steps

    async def _open_anew(self, finding: Finding) -> None:
        """Everything that the dead log held, at once (rule L2)."""
        assert finding.to
        cluster = finding.to.cluster
        await self._store.reopen({cluster: self._logs[cluster].stream(finding.channel)})

    async def _commit(self, finding: Finding) -> None:
        assert finding.to
        now = self._clock.now()
        await self._store.commit(finding.channel, finding.to, drain_until=now + self._settings.drain, now=now)

    async def _seal(self, finding: Finding) -> None:
        assert finding.source
        assert finding.to
        seal = Seal(f"seal:repair:{finding.to.epoch}:{finding.channel}", finding.source.epoch, finding.to)
        log_ = self._logs[finding.source.cluster]
        await log_.append(finding.channel, seal, stream=finding.source.stream)

    async def _settle(self, finding: Finding) -> None:
        assert finding.to
        for segment in await self._store.segments(finding.channel):
            chat_log = self._logs.get(segment.cluster)
            if segment.epoch < finding.to.epoch and chat_log and chat_log.stream(finding.channel) == segment.stream:
                await chat_log.release(finding.channel, segment.epoch)
        await self._store.settle(finding.channel, finding.to.epoch)

    async def _set_item(self, finding: Finding) -> None:
        rollout = await self._store.rollout(finding.rollout)
        item = await self._store.item(finding.rollout, finding.channel)
        if rollout is None or item is None:
            return
        there = (await self._store.placement(finding.channel)).segment.cluster
        state = "done" if there == progress.destination(item, rollout.definition) else "waiting"
        now = self._clock.now()
        await self._write(Advance(now, items=(msgspec.structs.replace(item, state=state, error="", since=now),)))
