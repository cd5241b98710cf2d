"""Wishes: every verb is one, recorded with name and reason; only the controller acts on it.

What a wish may do depends on the rollout's state when its turn comes, since a wish before it may change that. So here
only the wish itself is checked; what the state forbids the controller refuses, and the answer says so.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query
from starlette.exceptions import HTTPException
from starlette.responses import Response

from godwit.clock import Clock
from godwit.errors import InvalidRequest
from godwit.rollout import verbs
from godwit.rollout.values import ENDED, Rollout, Wish
from godwit.store.base import AuditEntry
from godwit.store.rollout_base import RolloutStore
from godwit.web import rollout_views as views
from godwit.web.admission import Admin
from godwit.web.answers import Json, refusal
from godwit.web.changes import Changes, wait_until
from godwit.web.names import channel_name, shown

LONGEST_WAIT = 60.0
"""Seconds that one request may wait for an answer."""

LATEST = "latest"
"""Names the newest rollout."""

DryRun = Callable[[Wish], Awaitable[str]]
"""Does the checks of a wish and nothing else; says what it would do, or raises `InvalidRequest`."""


async def find_rollout(store: RolloutStore, name: str) -> Rollout:
    """The rollout that somebody means.

    Args:
        name: an id, `latest`, or a name: of those so named one that is under way, else the newest.

    Raises:
        HTTPException: 404, there is none.
    """
    rollout = await store.rollout(name)
    if rollout is not None:
        return rollout
    known = await store.rollouts(limit=1000)
    named = known if name == LATEST else [each for each in known if each.definition.name == name]
    if not named:
        what = "no rollout yet" if name == LATEST else f"no rollout {shown(name)}: GET /rollouts lists them"
        raise HTTPException(404, f"there is {what}")
    going = [each for each in named if each.state not in ENDED]
    return (going or named)[0] if name != LATEST else named[0]


@dataclass(frozen=True, slots=True)
class Wishing:
    """Records wishes.

    Attributes:
        on_wish: called when one was recorded; wakes the controller.
        dry_run: what a dry run asks; None if nobody here can say.
    """

    store: RolloutStore
    clock: Clock
    changes: Changes
    on_wish: Callable[[], None]
    dry_run: DryRun | None = None

    async def read(self, wanted: views.NewWish) -> Wish:
        """Read what somebody wants.

        Raises:
            InvalidRequest: it cannot be, whatever the state.
            HTTPException: 404, there is no such rollout.
        """
        verb = verbs.VERBS.get(wanted.verb)
        rollout = None
        if verb is not None and verb.states:
            rollout = await find_rollout(self.store, wanted.rollout or LATEST)
        args = {key: value for key, value in wanted.args.items() if value is not None}
        channel = args.get("channel")
        if isinstance(channel, str):
            args["channel"] = channel_name(channel)
        wish = Wish(
            id=wanted.id or secrets.token_hex(8),
            verb=wanted.verb,
            by=wanted.by,
            time=self.clock.now(),
            rollout=rollout.id if rollout else "",
            args=args,
            reason=wanted.reason.strip(),
        )
        verbs.check(wish, verb.states[0] if verb and verb.states else None)
        return wish

    async def rehearse(self, wish: Wish) -> Wish:
        """Say what a wish would do.

        Raises:
            HTTPException: 409, it would be refused; 503, nobody here can say.
        """
        if self.dry_run is None:
            raise HTTPException(503, "this process does not run the controller, which does dry runs")
        try:
            answer = await self.dry_run(wish)
        except InvalidRequest as error:
            raise HTTPException(409, str(error)) from error
        # What would begin has no id yet: this wish's own is nobody's.
        return msgspec.structs.replace(wish, state="done", answer=answer.replace(f" ({wish.id})", ""))

    async def record(self, wish: Wish) -> Wish:
        """Record a wish and wake the controller; one that was sent before is returned as it is now."""
        recorded = await self.store.add_wish(wish)
        self.on_wish()
        self.changes.notify()
        if recorded.time == wish.time:
            subject = next((wish.args[key] for key in ("channel", "cluster") if key in wish.args), wish.rollout)
            details = f"wish {wish.id}" + (f" for rollout {wish.rollout}" if wish.rollout else "")
            action = wish.verb
            if "login" in wish.args:  # as the audit has it of what moderators type: the act, and on whom
                action = str(wish.args["kind"])[:50]
                about = f"{wish.args['login']} {wish.args.get('seconds', '')}".strip()[:100]
                details = f"{about}, {details}"
            await self.store.audit(
                AuditEntry(self.clock.now(), wish.by, action, str(subject)[:200], wish.reason, details)
            )
        return recorded

    async def wait(self, wish_id: str, patience: float) -> Wish:
        """A wish once it is answered, or as it is after `patience` seconds.

        Raises:
            HTTPException: 404, there is no such wish.
        """
        found = await wait_until(
            self.changes,
            lambda: self.store.wish(wish_id),
            lambda wish: wish is None or wish.state != "new",
            patience,
        )
        if found is None:
            raise HTTPException(404, f"there is no wish {shown(wish_id)}")
        return found


def answered(wish: Wish, *, dry_run: bool = False) -> Response:
    """A wish as an answer: 200 if it is done, 202 if nobody has acted on it yet, 409 if it was refused."""
    if wish.state == "refused":
        return refusal(409, wish.answer)
    view = views.WishView.of(wish, dry_run=dry_run)
    return Json(view.model_dump(), 202 if wish.state == "new" else 200)


def router(wishing: Wishing, admin: Admin) -> APIRouter:
    """The routes of wishes."""
    routes = admin.router()
    store = wishing.store

    @routes.post(
        "/wishes",
        tags=["wishes"],
        summary="Have something done",
        response_model=views.WishView,
        responses={
            202: {"model": views.WishView, "description": "Recorded; the controller has not acted on it yet."},
            409: {"description": "It was refused; nothing was changed."},
        },
    )
    async def wish(wanted: views.NewWish) -> Response:
        """Record a wish and wait for what comes of it (HTTP-wishes)."""
        read = await wishing.read(wanted)
        if wanted.dry_run:
            return answered(await wishing.rehearse(read), dry_run=True)
        recorded = await wishing.record(read)
        return answered(await wishing.wait(recorded.id, wanted.wait))

    @routes.get("/wishes", tags=["wishes"], summary="What was wished for")
    async def wishes(
        rollout: Annotated[str | None, Query(max_length=200, description="Id or name of a rollout.")] = None,
        new: Annotated[bool, Query(description="Only those that nobody has acted on.")] = False,
        limit: Annotated[int, Query(ge=1, le=1000, description="How many at most.")] = 100,
    ) -> views.Wishes:
        """The new ones oldest first, otherwise newest first."""
        of = None if rollout is None else (await find_rollout(store, rollout)).id
        found = await store.wishes(new=new, rollout=of, limit=limit)
        return views.Wishes(wishes=tuple(views.WishView.of(each) for each in found))

    @routes.get("/wishes/{wish_id}", tags=["wishes"], summary="A wish, and what came of it")
    async def one(
        wish_id: str,
        wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT, description="Seconds to wait for an answer.")] = 0.0,
    ) -> views.WishView:
        """A wish as it is now, or once it is answered."""
        return views.WishView.of(await wishing.wait(wish_id, wait))

    return routes
