"""JOIN, PART and INQUIRE (JOIN-1 to JOIN-7, PART-1, INQ-1)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import structlog

from godwit.chat.limits import Charge
from godwit.edge.crowding import may_join
from godwit.errors import StoreUnavailable
from godwit.tmi import render
from godwit.tmi.events import InquireRequested, JoinRequested, PartRequested
from godwit.tmi.login import LoginFailure
from godwit.values import GROUP, Addresses, Position, is_room

if TYPE_CHECKING:
    from godwit.edge.room import Room
    from godwit.edge.session import Session

log = structlog.get_logger()


def join_requested(session: Session, event: JoinRequested) -> None:
    """Let the connection into channels; each is answered by itself, once it is known where it lives (GROUP-4).

    Each of them is charged to the client (LIMIT-3); past the limit it is as if nothing was asked (LIMIT-4).
    """
    for name in event.channels:
        if session.protocol.closing:
            return
        if not _charged(session, name):
            continue
        enter = partial(_let_in, session, name, event.after.get(name))
        if session.node.groups is not None and session.node.serves(name):
            session.node.groups.admit(session, name, enter, anew=True)
        elif session.node.quiet:
            session.write(
                session.node.dialect.join_burst(
                    session.caps, name, session.author(name), room_id="0", settings={}, home=False
                )
            )
        elif session.node.serves(name) and may_join(session, name, enter):
            enter()


def _let_in(session: Session, name: str, after: Position | None) -> None:
    """Let the connection into a channel, once its author's relations are known."""
    room = session.rooms.get(name)
    if room is None:
        room = session.rooms[name] = session.node.room(name)
    enter = partial(_enter, session, room, after)
    if session.node.relations.ready(session, name, enter):
        enter()


def _enter(session: Session, room: Room, after: Position | None) -> None:
    """Let the connection into a channel, unless it has left meanwhile, or the channel is closed (USER-3)."""
    if session.rooms.get(room.name) is not room:
        return
    if not room.backend.open:  # nobody was in it yet, so it was dropped meanwhile
        room = session.rooms[room.name] = session.node.room(room.name)
    if session.node.relations.closed(room.name):
        del session.rooms[room.name]
        session.notice(room.name, "msg_channel_suspended")
        return
    room.join(session, after)


def _charged(session: Session, channel: str) -> bool:
    """Charge a JOIN; says whether it may be done."""
    node = session.node
    charge = node.pace.join(session, channel)
    if charge is Charge.CHARGED:
        node.counts.joins_charged += 1
        return True
    if charge is Charge.FREE:
        node.counts.joins_free += 1
        return True
    node.counts.joins_over += 1
    if charge is Charge.OVER_FIRST:
        log.warning("join_limit", nick=session.nick, channel=channel, cluster=node.cluster)
    if node.pace.limits.disconnects:
        session.protocol.login_failed(LoginFailure.UNSUCCESSFUL)
    return False


def part_requested(session: Session, event: PartRequested) -> None:
    """Let the connection out of channels; lines that wait for it come before the answer (PART-1)."""
    groups = session.node.groups
    for name in event.channels:
        if groups is None:
            _let_out(session, name)
        else:
            groups.afterwards(session, name, partial(_let_out, session, name))


def _let_out(session: Session, name: str) -> None:
    room = session.rooms.pop(name, None)
    if room is not None:
        room.leave(session)
    if room is not None or session.node.quiet:
        session.write(render.part(session.nick, name))


def inquire_requested(session: Session, event: InquireRequested) -> None:
    """Say where channels are, a line each (INQ-1)."""
    session.node.tasks.start(_inquire(session, event.channels), "inquire")


async def _inquire(session: Session, channels: Sequence[str]) -> None:
    try:
        placements = await session.node.store.placements([name for name in channels if not is_room(name)])
    except StoreUnavailable as error:
        log.warning("inquire_failed", nick=session.nick, error=str(error))
        return
    found = {placement.channel: placement.segment for placement in placements}
    for name in channels:
        cluster, epoch = (found[name].cluster, found[name].epoch) if name in found else (GROUP, 0)
        address = nearest(session.node.addresses(cluster), session.websocket, session.connection.secure) or "-"
        session.write(render.inquire(name, cluster, address, caps=session.caps, epoch=epoch))


def nearest(addresses: Addresses, websocket: bool, secure: bool) -> str:
    """The address that is most like the one a client uses: of its kind, with TLS as it has it; '' if none is known."""
    tcp = (addresses.tls, addresses.tcp) if secure else (addresses.tcp, addresses.tls)
    ws = (addresses.wss, addresses.ws) if secure else (addresses.ws, addresses.wss)
    kinds = (*ws, *tcp) if websocket else (*tcp, *ws)
    return next((kind[0] for kind in kinds if kind), "")
