"""What acts and changes of settings look like: to everybody, and to the one who did it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from godwit.edge import notices
from godwit.edge.commands import hosting, modes
from godwit.edge.commands.typed import BANNED
from godwit.tmi import render_room
from godwit.values import Act, Change, Message, Produced, Tell, UserNotice

if TYPE_CHECKING:
    from godwit.edge.room import Room
    from godwit.edge.session import Session

FOR_THE_OWNER = frozenset({"host_success", "host_success_viewers"})
"""NOTICEs in the log that only the owner of the channel is shown."""


def show(room: Room, act: Act, time: float, *, but: Session | None) -> None:
    """Show what an act does.

    Args:
        time: the record's log time.
        but: the connection that did it, which is told by `acknowledge` what others are told with a NOTICE.
    """
    if act.kind == "delete":
        said = room.message(act.deletes)
        text = said.text if said else ""
        room.fanout.line(
            lambda caps: room.dialect.clearmsg(
                caps,
                room.name,
                login=act.target_login,
                target_msg_id=act.deletes,
                text=text,
                time=time,
                room_id=room.room_id,
            )
        )
    elif act.kind in ("ban", "timeout", "clear"):
        room.fanout.line(
            lambda caps: room.dialect.clearchat(
                caps,
                room.name,
                room_id=room.room_id,
                time=time,
                target_login=act.target_login,
                target_id=act.target,
                seconds=act.seconds,
                reason=act.reason,
            )
        )
    elif act.kind in ("mod", "unmod", "vip", "unvip"):
        room.audience.company.roles_changed()
    elif act.kind in ("host", "unhost"):
        target = act.target_login if act.kind == "host" else ""
        room.fanout.line(lambda caps: render_room.hosttarget(caps, room.name, target, act.viewers))
        _notice_all(room, *_hosting(target), but=but)
    elif act.kind == "unraid":
        record = UserNotice(
            id=act.id,
            epoch=act.epoch,
            producer=act.producer,
            number=act.number,
            kind="unraid",
            author=act.by,
            system_msg=notices.text("unraid_success"),
        )
        usernotice = room.dialect.usernotice
        room.fanout.line(lambda caps: usernotice(caps, room.name, record, time=time, room_id=room.room_id))


def show_change(room: Room, change: Change, *, but: Session | None) -> None:
    """Show which settings have changed: ROOMSTATE, and a NOTICE to all but the one who did it (STATE-3, NOTICE-8)."""
    room.fanout.line(
        lambda caps: room.dialect.roomstate_change(caps, room.name, room_id=room.room_id, changed=change.settings)
    )
    for msg_id, values in modes.told(change.settings):
        _notice_all(room, msg_id, values, but=but)


def tell_hosting(session: Session, room: Room) -> None:
    """Tell somebody who has joined whom the channel hosts (HOST-1)."""
    target = room.channel.hosting
    room.tell(session, render_room.hosttarget(session.caps, room.name, target))
    msg_id, values = _hosting(target)
    session.notice(room.name, msg_id, **values)


def acknowledge(session: Session, room: Room, record: Produced) -> None:
    """Tell the one who did it that it is in force: it was read back (NOTICE-9); USERSTATE for what was announced."""
    if isinstance(record, UserNotice) and record.kind == "announcement":
        sets = session.node.relations.emote_sets(room.name, room.room_id)
        room.tell(
            session, room.dialect.userstate(session.caps, room.name, record.author, msg_id=record.id, emote_sets=sets)
        )
    if isinstance(record, Change):
        for msg_id, values in modes.told(record.settings):
            session.notice(room.name, msg_id, **values)
    if not isinstance(record, Act) or (record.kind in ("unmod", "unvip") and record.reason == BANNED):
        return
    if record.kind == "lift":
        word = "untimeout" if record.reason == "untimeout" else "unban"
        session.notice(room.name, f"{word}_success", user=record.target_login)
    elif record.kind in ("host", "unhost"):
        target = record.target_login if record.kind == "host" else ""
        msg_id, values = _hosting(target)
        session.notice(room.name, msg_id, **values)
        if target:
            hosting.hosted(session, room, record)
    elif record.kind == "raid":
        hosting.begun(session, room, record)
    elif record.kind == "delete":
        session.notice(room.name, "delete_message_success", user=record.target_login)
    elif record.kind != "clear":
        session.notice(room.name, f"{record.kind}_success", user=record.target_login, seconds=record.seconds)


def typed(record: Produced) -> str:
    """What somebody tried to say or do, for a NOTICE."""
    if isinstance(record, Act):
        word = (record.reason or "unban") if record.kind == "lift" else record.kind
        return f"/{word} {record.target_login}".rstrip()
    if isinstance(record, Change):
        return "a change of " + ", ".join(record.settings)
    if isinstance(record, UserNotice):
        return record.text or record.system_msg
    return record.text if isinstance(record, Message | Tell) else ""


def _hosting(target: str) -> tuple[str, dict[str, object]]:
    return ("host_on", {"channel": target}) if target else ("host_off", {})


def _notice_all(room: Room, msg_id: str, values: dict[str, object], *, but: Session | None) -> None:
    text = notices.text(msg_id, room.dialect.name, **values)
    room.fanout.line(lambda caps: room.dialect.notice(caps, room.name, msg_id, text), but)
