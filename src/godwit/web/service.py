"""All of the HTTP side as one ASGI application."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from godwit import __version__
from godwit.clock import Clock
from godwit.settings import LiveSettings
from godwit.store.base import Store
from godwit.store.rollout_base import RolloutStore
from godwit.values import Addresses
from godwit.web import (
    accounts,
    answers,
    api,
    chatdepot,
    clusters,
    directory,
    eventsub,
    facts,
    health,
    hooks,
    importing,
    moderation,
    neighbours,
    planning,
    processes,
    public,
    reasons,
    relations,
    rollouts,
    status,
    tokens,
    wishes,
)
from godwit.web.admission import Admin
from godwit.web.changes import Changes
from godwit.web.feed import Feed
from godwit.web.live import LiveReports


def build(
    *,
    store: RolloutStore,
    clock: Clock,
    addresses: Mapping[str, Addresses],
    admin_token: str,
    changes: Changes,
    on_wish: Callable[[], None],
    checks: Sequence[health.Check],
    registry: CollectorRegistry,
    room_id: directory.RoomId | None = None,
    live: LiveSettings | None = None,
    feed_poll: float = 1.0,
    presence: planning.Presence | None = None,
    metrics: Collection[str] = (),
    dry_run: wishes.DryRun | None = None,
    samples: status.Samples | None = None,
    waiting: status.Waiting | None = None,
    holding: reasons.Holding | None = None,
    explain: clusters.Explain | None = None,
    doctor: clusters.Doctor | None = None,
    running: processes.Processes | None = None,
    user_id: Callable[[str], str] | None = None,
    members: neighbours.Members | None = None,
    identify: chatdepot.Identify | None = None,
) -> FastAPI:
    """Put the HTTP side together.

    Args:
        addresses: public addresses of each configured cluster; read at each request, so it may be filled later.
        admin_token: what operators have to send; not empty.
        changes: where the controller tells that something has made a step.
        on_wish: called when something is to be done, or may be done now; wakes the controller.
        checks: what must work for `/readyz` to say yes, besides writes to the store.
        registry: what `/metrics` shows.
        room_id: gives a channel's room id; by default that of its owner's account in the store.
        live: who may tell that streams begin and end; by default only operators.
        feed_poll: seconds between looks at the store for changes that other processes wrote.
        presence: who is in channels now.
        metrics: names of the built-in metrics that gates may ask for, if known.
        dry_run: does the checks of a wish and says what it would do.
        samples: what a gate answered lately.
        waiting: why what waits in a rollout is waiting; by default what the store tells of it.
        holding: what holds a rollout as a whole, such as a gate.
        explain: why a channel is where it is; by default what the store tells of it.
        doctor: compares store, logs and edges.
        running: the processes of the network; by default nobody here knows.
        user_id: the user id that an account is added with; by default the store chooses one.
        members: the logins of those who are in a channel on a cluster; by default nobody here knows.
        identify: whose token it is; by default group rooms are not to be had.
    """
    # The interactive pages would load scripts from somebody else's servers; the description is served alone.
    app = FastAPI(
        title="Godwit", version=__version__, docs_url=None, redoc_url=None, default_response_class=answers.Json
    )
    admin = Admin(admin_token)
    names = addresses.keys()
    hooked = live or LiveSettings()
    why = reasons.Reasons(store, clock, holding)
    answers.install(app, admin.sent_it)
    app.add_middleware(directory.OpenToAll, also=public.PATHS)
    app.include_router(directory.router(directory.Directory(store, addresses, room_id or _accounts(store))))
    writes = health.Check("writes", health.Writes(store.check_writes).probe)
    app.include_router(health.router((*checks, writes), registry))

    app.include_router(neighbours.router(neighbours.Chatters(store, clock, names, members), store))
    if identify is not None:
        app.include_router(chatdepot.router(chatdepot.Rooms(store, clock, addresses), identify))

    # Fixed addresses go before those with a name in the same place.
    app.include_router(public.router(Feed(store, changes, feed_poll), store))
    app.include_router(facts.router(facts.Knowledge(store, clock, on_wish), admin))
    app.include_router(planning.router(planning.Planner(store, clock, names, presence, metrics), admin))

    statuses = status.Statuses(store, clock, names, samples, waiting or why.waiting)
    app.include_router(rollouts.router(rollouts.Looking(store, changes, statuses, samples), admin))
    wishing = wishes.Wishing(store, clock, changes, on_wish, dry_run)
    app.include_router(wishes.router(wishing, admin))
    app.include_router(clusters.router(clusters.Network(store, addresses, explain or why.explain, doctor), admin))
    if running is not None:
        app.include_router(processes.router(running, admin))
    people = accounts.People(store, clock, user_id or accounts.chosen_by_store)
    app.include_router(accounts.router(people, admin))
    app.include_router(relations.router(relations.Ties(people), admin))
    app.include_router(importing.router(importing.Importing(people), admin))
    app.include_router(moderation.router(moderation.Moderating(people, wishing), admin))
    app.include_router(api.router(api.Operator(store, clock, names, changes, on_wish, people), admin))
    app.include_router(tokens.router(tokens.Tokens(store, clock), admin))

    reports = LiveReports(store, clock, on_wish)
    app.include_router(hooks.router(reports, hooked.token))
    app.include_router(eventsub.router(eventsub.EventSub(reports, clock, hooked.eventsub_secret)))
    return app


def _accounts(store: Store) -> directory.RoomId:
    async def room_id(channel: str) -> str | None:
        account = await store.account(channel)
        return account.user_id if account else None

    return room_id
