"""The operators' API: it records wishes, with name and reason; only the controller moves channels.

Every call needs the admin token. Whatever is changed is told to the audit.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.exceptions import HTTPException
from starlette.responses import Response

from godwit.clock import Clock
from godwit.rollout import moves
from godwit.store.base import AuditEntry
from godwit.store.rollout_base import RolloutStore
from godwit.values import Move, Placement
from godwit.web import plain, views
from godwit.web.accounts import People
from godwit.web.admission import Admin
from godwit.web.answers import Json
from godwit.web.changes import Changes, Until, wait_move
from godwit.web.live import LiveReports
from godwit.web.names import channel_name, cluster_name, login_name, refuse_retired, shown

LONGEST_WAIT = 60.0
"""Seconds that one request may wait for a move."""


@dataclass(frozen=True, slots=True)
class Operator:
    """What operators can do.

    Attributes:
        clusters: names of the configured clusters.
        on_wish: called when something is to be done or may be done now; wakes the controller.
        people: adds accounts.
    """

    store: RolloutStore
    clock: Clock
    clusters: Collection[str]
    changes: Changes
    on_wish: Callable[[], None]
    people: People

    async def _audit(self, actor: str, action: str, subject: str, reason: str = "", details: str = "") -> None:
        await self.store.audit(AuditEntry(self.clock.now(), actor, action, subject, reason, details))

    async def show(self, channel: str) -> tuple[Placement, bool, Move | None]:
        """A channel's placement, whether it is live, and its newest move."""
        name = channel_name(channel)
        moves = await self.store.moves(channel=name, limit=1)
        return await self.store.placement(name), await self.store.is_live(name), moves[0] if moves else None

    async def check(self, channel: str, wish: views.Wish) -> Move:
        """What would be recorded if somebody wants a channel moved; nothing is written.

        Raises:
            UnknownChannel, UnknownCluster: no such thing.
            InvalidRequest: force without a reason.
            MoveRefused: the state of the channel or of the cluster does not allow it.
        """
        now = self.clock.now()
        move = Move(
            id=secrets.token_hex(8),
            channel=channel_name(channel),
            target=cluster_name(wish.to, self.clusters, for_channel=True),
            state="wished",
            forced=wish.force,
            by=wish.by,
            reason=wish.reason.strip(),
            history=(("wished", now),),
        )
        refuse_retired(move.target, await self.store.retired())
        under_way = await self.store.moves(channel=move.channel, moving=True, limit=1)
        moves.admit(
            move,
            placement=await self.store.placement(move.channel),
            clusters=self.clusters,
            live=await self.store.is_live(move.channel),
            unfinished=under_way[0] if under_way else None,
        )
        return move

    async def dry_run(self, channel: str, wish: views.Wish) -> views.MoveView:
        """What a wish would lead to; it is refused for the same reasons, and nothing is written."""
        move = await self.check(channel, wish)
        begun = moves.begin(move, await self.store.placement(move.channel))
        return views.MoveView.of(begun, dry_run=True)

    async def wish(self, channel: str, wish: views.Wish) -> Move:
        """Record that somebody wants a channel moved; it is checked first."""
        move = await self.store.begin_move(await self.check(channel, wish))
        self.on_wish()
        self.changes.notify()
        forced = " by force" if wish.force else ""
        await self._audit(wish.by, "move", move.channel, wish.reason, f"to {move.target}{forced}, move {move.id}")
        return move

    async def set_live(self, channel: str, change: views.LiveChange) -> str:
        """Record that a stream began or ended; returns the channel's name."""
        name = channel_name(channel)
        await LiveReports(self.store, self.clock, self.on_wish).record(name, change.live, change.by)
        return name

    async def add_token(self, login: str, wanted: views.NewToken) -> views.TokenView:
        """Make a token for an account."""
        name = login_name(login)
        if await self.store.account(name) is None:
            raise HTTPException(404, f"there is no account {name}: add it first (godwit account add {name})")
        token = secrets.token_urlsafe(24)
        row = await self.store.add_token(name, token, wanted.scopes, self.clock.now())
        await self._audit(wanted.by, "account token", name, details=f"token {row.id}")
        return views.TokenView.of(row, token)

    async def remove_account(self, login: str, by: str) -> None:
        """Remove an account and its tokens."""
        name = login_name(login)
        if not await self.store.remove_account(name):
            raise HTTPException(404, f"there is no account {name}")
        await self._audit(by, "account remove", name)


_Limit = Annotated[int, Query(ge=1, le=1000, description="How many at most.")]
_Channel = Annotated[str, Path(description="A channel, without # or with %23.")]


def router(operator: Operator, admin: Admin) -> APIRouter:
    """The API's routes, closed to everybody who does not send the admin token."""
    routes = admin.router()
    _channels(routes, operator)
    _moves(routes, operator)
    _accounts(routes, operator)

    @routes.get("/audit", tags=["audit"], summary="Who did what, when and why")
    async def audit(
        subject: Annotated[str | None, Query(max_length=200, description="A channel, a login, a rollout.")] = None,
        actor: Annotated[str | None, Query(max_length=200, description="Who did it.")] = None,
        action: Annotated[str | None, Query(max_length=200, description="What was done, such as ban.")] = None,
        since: Annotated[float, Query(ge=0, allow_inf_nan=False, description="Seconds since 1970.")] = 0.0,
        before: Annotated[int, Query(ge=0, le=plain.LARGEST, description="Only older lines than this number.")] = 0,
        limit: _Limit = 100,
    ) -> views.Audit:
        """Lines of the audit, newest first; `before` the number of the last one is the next page (HTTP-audit)."""
        entries = await operator.store.audit_log(
            subject=subject, actor=actor, action=action, since=since, before=before, limit=limit
        )
        return views.Audit(entries=tuple(views.AuditView.of(entry) for entry in entries))

    return routes


def _channels(routes: APIRouter, operator: Operator) -> None:
    @routes.get("/channels/{name}", tags=["channels"], summary="Where a channel is and how it is doing")
    async def show(name: _Channel) -> views.ChannelView:
        """A channel's placement and its newest move."""
        return views.ChannelView.of(*await operator.show(name))

    @routes.post(
        "/channels/{name}/move",
        status_code=202,
        response_model=views.MoveView,
        responses={200: {"model": views.MoveView, "description": "Of a dry run: what would be done."}},
        tags=["channels"],
        summary="Wish for a move",
    )
    async def move(name: _Channel, wish: views.Wish) -> Response:
        """Record the wish; the controller carries it out, `/moves/{id}/wait` tells how far it is."""
        if wish.dry_run:
            return Json((await operator.dry_run(name, wish)).model_dump(by_alias=True))
        return Json(views.MoveView.of(await operator.wish(name, wish)).model_dump(by_alias=True), 202)

    @routes.post("/channels/{name}/live", tags=["channels"], summary="Say whether a stream runs")
    async def live(name: _Channel, change: views.LiveChange) -> views.LiveView:
        """Record that a stream began or ended; a live channel is moved by force only."""
        return views.LiveView(channel=await operator.set_live(name, change), live=change.live)


def _moves(routes: APIRouter, operator: Operator) -> None:
    def found(move: Move | None, move_id: str) -> views.MoveView:
        if move is None:
            raise HTTPException(404, f"there is no move {shown(move_id)}")
        return views.MoveView.of(move)

    @routes.get("/moves", tags=["moves"], summary="Moves, newest first")
    async def moves(channel: str | None = None, unfinished: bool = False, limit: _Limit = 100) -> views.Moves:
        """Moves of one channel or of all."""
        name = None if channel is None else channel_name(channel)
        listed = await operator.store.moves(channel=name, unfinished=unfinished, limit=limit)
        return views.Moves(moves=tuple(views.MoveView.of(move) for move in listed))

    @routes.get("/moves/{move_id}", tags=["moves"], summary="A move")
    async def move(move_id: str) -> views.MoveView:
        """A move as it is now."""
        return found(await operator.store.move(move_id), move_id)

    @routes.get("/moves/{move_id}/wait", tags=["moves"], summary="Wait for a move")
    async def wait(
        move_id: str,
        until: Annotated[Until, Query(description="draining: the switch is committed.")] = "settled",
        after_version: Annotated[int | None, Query(description="Answer also at a step above this version.")] = None,
        timeout: Annotated[float, Query(ge=0, le=LONGEST_WAIT, description="Seconds.")] = 25.0,  # noqa: ASYNC109
    ) -> views.MoveView:
        """Answer when the move has come that far or has ended, or as it is after the time-out."""
        reached = await wait_move(
            operator.store, operator.changes, move_id, until=until, after_version=after_version, patience=timeout
        )
        return found(reached, move_id)


def _accounts(routes: APIRouter, operator: Operator) -> None:
    @routes.get("/accounts", tags=["accounts"], summary="Accounts by login")
    async def accounts(after: str = "", limit: _Limit = 1000) -> views.Accounts:
        """Accounts whose login comes after `after`."""
        listed = await operator.store.accounts(after, limit)
        return views.Accounts(accounts=tuple(views.AccountView.of(account) for account in listed))

    @routes.post(
        "/accounts",
        status_code=201,
        response_model=views.AccountView,
        responses={200: {"model": views.AccountView, "description": "It was there already."}},
        tags=["accounts"],
        summary="Add an account",
    )
    async def add(wanted: views.NewAccount) -> Response:
        """Add an account, or show the one of that login."""
        account, new = await operator.people.add(wanted)
        return Json(views.AccountView.of(account).model_dump(), 201 if new else 200)

    @routes.post("/accounts/{login}/token", status_code=201, tags=["accounts"], summary="Make a token")
    async def token(login: str, wanted: views.NewToken | None = None) -> views.TokenView:
        """Make a token that may log in; it is shown this once."""
        return await operator.add_token(login, wanted or views.NewToken())

    @routes.delete("/accounts/{login}", status_code=204, tags=["accounts"], summary="Remove an account")
    async def remove(login: str, by: views.Actor = "admin") -> Response:
        """Remove an account and its tokens."""
        await operator.remove_account(login, by)
        return Response(status_code=204)
