"""`godwit directory`: directory, API and feed, as one process of many."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any, Literal

import structlog

from godwit.control.explain import Explainer
from godwit.control.meters import metric_names
from godwit.edge.auth.bearer import Bearer
from godwit.edge.backend import room_id
from godwit.errors import StoreUnavailable
from godwit.network import listening
from godwit.roles.insight import RemoteInsight
from godwit.roles.process import Process
from godwit.roles.remote import RemoteControllers, RemoteCrowd
from godwit.roles.roster import Roster
from godwit.settings import Settings
from godwit.steering import Steering
from godwit.values import GROUP, Addresses, derived_id
from godwit.web import server, service
from godwit.web.changes import Changes

log = structlog.get_logger()

TRIM = 3600.0
"""Seconds between two looks at which public events are too old to be kept."""

KEPT = 30 * 86_400.0
"""Seconds that public events are kept: whoever follows the feed may have been away for so long."""


class Directory(Process):
    """A directory process.

    It steers nothing; of what steers it uses only what looks: dry runs, explanations, the doctor.

    Args:
        ports_auto: take a free port instead of the settings' one.
    """

    role: Literal["directory"] = "directory"
    _web: server.Running
    _insight_of_leader: RemoteInsight

    def __init__(self, settings: Settings, *, ports_auto: bool = False) -> None:
        super().__init__(settings)
        self._ports_auto = ports_auto

    async def _open(self) -> Addresses:
        settings, store, directory = self._settings, self._ground.store, self._settings.directory
        steering = Steering(
            settings,
            store,
            self._ground.logs,
            self._clock,
            self.places,
            RemoteCrowd(self._member.edges, self._member.look, self._http, settings.auth.admin_token),
            holder=self._member.node.name,
            reading=dict,
            changed=_nobody,
        )
        self._up.push_async_callback(steering.outside.close)
        controllers = RemoteControllers(self._member.controllers, self._http, settings.auth.admin_token)
        self._up.push_async_callback(controllers.close)
        self._insight_of_leader = insight = RemoteInsight(
            self._member.controllers, self._http, settings.auth.admin_token
        )
        explainer = Explainer(store, self._clock, insight.holding)
        changes = Changes()
        bearer = Bearer(settings.auth, store, self._clock)
        self._up.push_async_callback(bearer.close)
        await bearer.start()
        app = service.build(
            store=store,
            clock=self._clock,
            addresses=self.places.addresses,
            admin_token=settings.auth.admin_token,
            changes=changes,
            on_wish=controllers.wake,
            checks=self._all_checks(),
            registry=self._registry,
            room_id=self._owner,
            live=settings.live,
            feed_poll=directory.feed_poll,
            presence=steering.crowd.presence,
            metrics=metric_names(name for name in settings.clusters if name != GROUP),
            dry_run=steering.wishes.dry_run,
            samples=insight.samples,
            holding=insight.holding,
            waiting=explainer.waiting,
            explain=explainer.explain,
            doctor=steering.examine,
            running=Roster(store, self._http, settings.auth.admin_token).list,
            members=steering.crowd.left_behind,
            identify=bearer.identify,
            user_id=derived_id if settings.auth.mode == "open" else None,
        )
        self._web = await server.serve(app, directory.host, 0 if self._ports_auto else directory.port)
        self._up.push_async_callback(self._web.stop)
        self._up.callback(changes.close)
        return Addresses()

    async def _owner(self, channel: str) -> str | None:
        found = await room_id(self._ground.store, self._settings, channel)
        return None if found == "0" else found

    def _work(self) -> Sequence[tuple[str, Awaitable[None]]]:
        return [
            ("http", self._web.wait_stopped()),
            ("insight", self._insight_of_leader.run()),
            ("trim", self._trim()),
        ]

    async def _trim(self) -> None:
        while True:
            await asyncio.sleep(TRIM)
            try:
                trimmed = await self._ground.store.trim_feed(self._clock.now() - KEPT)
            except StoreUnavailable as error:
                log.warning("feed_not_trimmed", error=str(error))
            else:
                log.info("feed_trimmed", events=trimmed)

    def _told(self) -> dict[str, Any]:
        clusters = {name: listening(addresses) for name, addresses in self.places.addresses.items()}
        return {"api": self._web.url, "clusters": clusters}


def _nobody() -> None:
    """Who follows changes looks at the store by himself."""
