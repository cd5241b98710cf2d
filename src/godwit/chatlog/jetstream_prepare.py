"""Making the streams of a chat log in NATS JetStream, and bringing them to the settings (`docs/jetstream.md`)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal, TypeVar

import msgspec

from godwit.chatlog.jetstream_link import Link
from godwit.chatlog.jetstream_streams import PARTITIONS, VERSION, Api, ApiError, Layout, check
from godwit.errors import ChatLogUnavailable, LogNotPrepared
from godwit.settings import LogSettings, NatsSettings

PATIENCE = 30.0
"""Seconds for which `prepare` waits for servers that have just started."""

RETRY = 0.2
"""Seconds between two attempts."""

_TRANSIENT = frozenset({10004, 10005, 10008, 10009})
"""Refusals of servers that do not know each other yet: incomplete, no suitable peers, unavailable, no leader."""

_UPDATED = ("num_replicas", "max_bytes", "duplicate_window")

_T = TypeVar("_T")


class Prepared(msgspec.Struct, frozen=True):
    """What `prepare` did in one cluster."""

    cluster: str
    created: tuple[str, ...]
    updated: tuple[str, ...]
    kept: tuple[str, ...]


def _config(layout: Layout, number: int, name: str, nats: NatsSettings, log: LogSettings) -> dict[str, Any]:
    """What a stream must be.

    It has no `max_age`, which servers that restart apply to records that must not expire too, and no limit
    per subject; records but open and seal carry their own time to live (rule L3). A full stream refuses what is
    new, since dropping what is old would spare nothing.
    """
    return {
        "name": name,
        "subjects": [f"{layout.root}.{number}.>"],
        "retention": "limits",
        "storage": nats.storage,
        "num_replicas": nats.replicas,
        "max_bytes": nats.max_bytes,
        "max_age": 0,
        "max_msgs": -1,
        "max_msgs_per_subject": -1,
        "discard": "new",
        "duplicate_window": int(log.duplicate_window * 1e9),
        "allow_direct": True,
        "allow_msg_ttl": True,
        "deny_purge": False,
        "republish": {"src": f"{layout.root}.{number}.>", "dest": f"godwit-live.{layout.cluster}.{number}.>"},
        "metadata": {
            "godwit.version": VERSION,
            "godwit.streams": str(nats.streams),
            "godwit.partitions": str(PARTITIONS),
        },
    }


async def prepare(
    cluster: str, servers: Sequence[str], nats: NatsSettings, log: LogSettings, *, patience: float = PATIENCE
) -> Prepared:
    """Create the streams that are missing and bring the others to the settings; for `godwit migrate`.

    A stream that has lost everything is made anew under another creation id. Nothing that holds records is
    ever deleted.

    Raises:
        LogNotPrepared: what is there cannot be brought to the settings; says what to do.
        ChatLogUnavailable: the servers do not answer, or have no room.
    """

    async def nothing() -> None:
        return None

    layout = Layout(cluster, nats.streams)
    link = Link(
        f"godwit migrate {cluster}",
        servers,
        connected=nothing,
        lost=lambda: None,
        slow=lambda: None,
        credentials=nats.credentials,
    )
    await link.open()
    try:
        api = Api(link, layout, nats.domains.get(cluster, ""))
        done: dict[Literal["created", "updated", "kept"], list[str]] = {"created": [], "updated": [], "kept": []}
        names = await _patiently(api.names, patience)
        if more := [name for number, name in names.items() if number >= nats.streams]:
            raise LogNotPrepared(
                f"cluster {cluster} has a stream {more[0]}, but nats.streams is {nats.streams}: set it back; "
                "another number of streams is another cluster, to which channels move"
            )
        for number in range(nats.streams):
            name, what = await _prepare_stream(api, layout, number, names.get(number), nats, log, patience)
            done[what].append(name)
        return Prepared(cluster, tuple(done["created"]), tuple(done["updated"]), tuple(done["kept"]))
    finally:
        await link.close()


async def _prepare_stream(
    api: Api,
    layout: Layout,
    number: int,
    name: str | None,
    nats: NatsSettings,
    log: LogSettings,
    patience: float,
) -> tuple[str, Literal["created", "updated", "kept"]]:
    if name:
        existing = name
        found = await _patiently(lambda: api.look(number, existing), patience)
        if not found.born and found.messages:
            raise LogNotPrepared(
                f"cluster {layout.cluster}: stream {name} has lost its first record but holds {found.messages} others: "
                "look at them and delete the stream by hand"
            )
        if found.born:
            check(layout, found)
            wanted = _config(layout, number, name, nats, log)
            if found.config.get("storage") != nats.storage:
                raise LogNotPrepared(
                    f"cluster {layout.cluster}: stream {name} is kept in {found.config.get('storage')}, "
                    f"nats.storage is {nats.storage}: set it back; it cannot be changed"
                )
            if all(found.config.get(key) == wanted[key] for key in _UPDATED):
                return name, "kept"
            changed = found.config | {key: wanted[key] for key in _UPDATED}
            await _patiently(lambda: api.call(f"STREAM.UPDATE.{name}", changed), patience)
            return name, "updated"
        await _patiently(lambda: api.call(f"STREAM.DELETE.{existing}"), patience)
    fresh = layout.name(number)
    config = _config(layout, number, fresh, nats, log)
    await _patiently(lambda: api.call(f"STREAM.CREATE.{fresh}", config), patience)
    birth = {"Nats-Expected-Stream": fresh, "Nats-Msg-Id": "birth"}
    await _patiently(lambda: api.append(layout.birth(number), fresh.encode(), birth, RETRY * 10), patience)
    return fresh, "created"


async def _patiently(ask: Callable[[], Awaitable[_T]], patience: float) -> _T:
    """Ask until the servers are ready to answer, or patience ends."""
    deadline = asyncio.get_running_loop().time() + patience
    while True:
        try:
            return await ask()
        except ChatLogUnavailable as error:
            if isinstance(error, ApiError) and error.number not in _TRANSIENT:
                raise LogNotPrepared(f"the NATS servers refuse: {error}") from error
            if asyncio.get_running_loop().time() >= deadline:
                raise
        await asyncio.sleep(RETRY)
