"""`godwit controller`: what moves channels, as one process of many; several may run, one leads."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from godwit.roles.insight import Insight, insight_of
from godwit.roles.process import Process
from godwit.roles.remote import RemoteCrowd, RemoteReadings
from godwit.steering import Steering
from godwit.values import Addresses


class Controller(Process):
    """A controller process."""

    role: Literal["controller"] = "controller"
    _steering: Steering | None = None
    _readings: RemoteReadings

    async def _open(self) -> Addresses:
        self._readings = RemoteReadings(self._member.edges, self._http)
        self._steering = steering = Steering(
            self._settings,
            self._ground.store,
            self._ground.logs,
            self._clock,
            self.places,
            RemoteCrowd(self._member.edges, self._member.look, self._http, self._settings.auth.admin_token),
            holder=self._member.node.name,
            reading=self._readings,
            changed=_nobody,
            skip_seal=os.environ.get("GODWIT_DEMO_FAULT") == "skip-seal",
        )
        self._registry.register(_Collector(steering))
        return Addresses()

    def _work(self) -> Sequence[tuple[str, Awaitable[None]]]:
        assert self._steering
        return [
            ("controller", self._steering.controller.run()),
            ("outside", self._steering.watch_in_turn()),
            ("readings", self._readings.run()),
        ]

    async def _end_work(self) -> None:
        await super()._end_work()
        if self._steering is not None:
            await self._steering.resign()

    def _waker(self) -> Callable[[], None]:
        return self._wake

    def _insight(self) -> Callable[[], Awaitable[object]]:
        return self._know

    async def _know(self) -> Insight:
        return await insight_of(self._steering, self._ground.store) if self._steering else Insight()

    def _wake(self) -> None:
        if self._steering is not None:
            self._steering.wake()


def _nobody() -> None:
    """Who follows changes is in other processes, and finds them in the store."""


class _Collector(Collector):
    """What the controller counts."""

    def __init__(self, steering: Steering) -> None:
        self._steering = steering

    def collect(self) -> list[GaugeMetricFamily]:
        """Make the metrics as they are now."""
        return [
            GaugeMetricFamily(f"godwit_controller_{name}", f"The controller's {name.replace('_', ' ')}.", value=value)
            for name, value in self._steering.controller.statistics().items()
        ]
