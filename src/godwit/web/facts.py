"""What operators know of channels: read, changed, and brought in by the thousand (protocol row HTTP-facts)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query, Request

from godwit.clock import Clock
from godwit.errors import InvalidRequest
from godwit.rollout.values import Facts
from godwit.store.base import AuditEntry
from godwit.store.rollout_base import RolloutStore
from godwit.web import network_views as views
from godwit.web import rows
from godwit.web.admission import Admin
from godwit.web.names import channel_name
from godwit.web.views import Actor

AT_ONCE = 1000
"""Rows that are written together."""

TOLD = 1000
"""Refused rows that are told one by one."""

COLUMNS = ("channel", "tier", "opt", "members", "rate", "starts_at")

_Channel = Annotated[str, Path(description="A channel, without # or with %23.")]


@dataclass(slots=True)
class _Import:
    """An import under way."""

    imported: int = 0
    refused_count: int = 0
    refused: list[views.RefusedRow] = field(default_factory=list)
    waiting: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def refuse(self, line: int, why: str) -> None:
        self.refused_count += 1
        if len(self.refused) < TOLD:
            self.refused.append(views.RefusedRow(line=line, error=why))


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What is known of channels.

    Attributes:
        on_change: called when something changed; wakes the controller.
    """

    store: RolloutStore
    clock: Clock
    on_change: Callable[[], None]

    async def show(self, channel: str) -> Facts:
        """What is known of a channel."""
        return (await self.store.candidates_of([channel_name(channel)]))[0].facts

    async def change(self, channel: str, new: views.NewFacts) -> Facts:
        """Change what `new` names and leave the rest."""
        name = channel_name(channel)
        given = new.model_dump(exclude_none=True, exclude={"by"})
        await self._write({name: [given]})
        told = ", ".join(f"{key} {value!r}" for key, value in given.items())
        await self.store.audit(AuditEntry(self.clock.now(), new.by, "facts", name, details=told))
        return await self.show(name)

    async def take(self, lines: AsyncIterator[bytes], kind: str, by: str) -> views.Imported:
        """Take many rows; what is refused is told with its line, the others are written.

        Args:
            lines: JSON objects, or CSV with a heading.
            kind: the content type; if it does not say, the first line does.

        Raises:
            InvalidRequest: the heading names a column that is none, or lacks `channel`.
        """
        done = _Import()
        reader = rows.Reader(kind, COLUMNS, ("channel",), empty=("tier", "opt"))
        async for line in lines:
            try:
                given = reader.read(line)
                if given is None:
                    continue
                name, facts = _row(given)
            except rows.InvalidHeading:
                raise
            except InvalidRequest as error:
                done.refuse(reader.number, str(error))
                continue
            done.waiting.setdefault(name, []).append(facts)
            done.imported += 1
            if len(done.waiting) >= AT_ONCE:
                await self._write(done.waiting)
                done.waiting = {}
        await self._write(done.waiting)
        if done.imported:
            details = f"{done.imported} rows, {done.refused_count} refused"
            await self.store.audit(AuditEntry(self.clock.now(), by, "facts import", "", details=details))
        return views.Imported(imported=done.imported, refused=tuple(done.refused), refused_count=done.refused_count)

    async def _write(self, said_of: dict[str, list[dict[str, Any]]]) -> None:
        """Lay what is given over what is known, row by row."""
        if not said_of:
            return
        known = await self.store.candidates_of(list(said_of))
        facts = [candidate.facts for candidate in known]
        said = {name: {key: value for row in given for key, value in row.items()} for name, given in said_of.items()}
        await self.store.set_facts([msgspec.structs.replace(old, **said[old.channel]) for old in facts])
        self.on_change()


def _row(given: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """A row's channel and what it says of it; an empty number says nothing, an empty tier or opt that it has none."""
    name = channel_name(given.pop("channel"))
    return name, rows.checked(views.FactsChange, given).model_dump(exclude_none=True)


def router(knowledge: Knowledge, admin: Admin) -> APIRouter:
    """The routes of facts and holds."""
    routes = admin.router()

    @routes.get("/channels/{name}/facts", tags=["channels"], summary="What is known of a channel")
    async def show(name: _Channel) -> views.FactsView:
        """Tier, opt, size, and when its next stream begins."""
        return views.FactsView.of(await knowledge.show(name))

    @routes.put("/channels/{name}/facts", tags=["channels"], summary="Say what is known of a channel")
    async def change(name: _Channel, new: views.NewFacts) -> views.FactsView:
        """Change what is named and leave the rest (HTTP-facts)."""
        return views.FactsView.of(await knowledge.change(name, new))

    @routes.post(
        "/channels/import",
        tags=["channels"],
        summary="Say what is known of many channels",
        openapi_extra={
            "requestBody": {
                "content": {
                    kind: {"schema": {"type": "string", "description": "A channel a line; CSV begins with a heading."}}
                    for kind in ("application/jsonl", "text/csv")
                }
            }
        },
    )
    async def take(
        request: Request, by: Annotated[Actor, Query(description="Who says so.")] = "admin"
    ) -> views.Imported:
        """Take JSON lines or CSV; rows that are refused are told, the others are written (HTTP-facts)."""
        kind = request.headers.get("content-type", "").lower()
        return await knowledge.take(rows.lines_of(request.stream()), kind, by)

    @routes.get("/holds", tags=["channels"], summary="Who is to stay where they are")
    async def holds() -> views.Holds:
        """All holds, by channel; `hold` and `release` are wishes."""
        return views.Holds(holds=tuple(views.HoldView.of(hold) for hold in await knowledge.store.holds()))

    return routes
