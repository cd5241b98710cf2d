"""Lines to clients about what happens in a room besides messages; the rules are those of `render`."""

from __future__ import annotations

from godwit.tmi.capabilities import Caps
from godwit.tmi.login import SERVER
from godwit.tmi.message import encode
from godwit.tmi.tags import flag, millis, tagged
from godwit.values import UserNotice


def mode(channel: str, login: str, change: str) -> bytes:
    """Somebody becomes an operator, `+o`, or is none any more, `-o`; needs MEMBERSHIP, which the caller sees to."""
    return encode(f":jtv MODE #{channel} {change} {login}")


def clearchat(
    caps: Caps,
    channel: str,
    *,
    room_id: str,
    time: float,
    target_login: str = "",
    target_id: str = "",
    seconds: int = 0,
    reason: str = "",
) -> bytes:
    """A whole room or one user's lines are cleared; without `seconds` a user is banned for good (CLEAR-1).

    Args:
        reason: not shown: it is for those who moderate.
    """
    if Caps.COMMANDS not in caps:
        return b""
    tags = {"room-id": room_id, "tmi-sent-ts": millis(time)}
    rest = f":{SERVER} CLEARCHAT #{channel}"
    if target_login:
        rest += f" :{target_login}"
        tags["target-user-id"] = target_id
        if seconds:
            tags["ban-duration"] = str(seconds)
    return tagged(tags if Caps.TAGS in caps else {}, rest)


def clearmsg(
    caps: Caps, channel: str, *, login: str, target_msg_id: str, text: str, time: float, room_id: str = ""
) -> bytes:
    """One message is removed (CLEAR-2).

    Args:
        login: who had said it.
        text: what it said.
    """
    if Caps.COMMANDS not in caps:
        return b""
    tags = {"login": login, "room-id": room_id, "target-msg-id": target_msg_id, "tmi-sent-ts": millis(time)}
    return tagged(tags if Caps.TAGS in caps else {}, f":{SERVER} CLEARMSG #{channel} :{text}")


def hosttarget(caps: Caps, channel: str, target: str, viewers: int = 0) -> bytes:
    """The channel hosts another one, or none any more for '' (HOST-1).

    Args:
        viewers: how many it brings along; 0 if nobody counted.
    """
    if Caps.COMMANDS not in caps:
        return b""
    return encode(f":{SERVER} HOSTTARGET #{channel} :" + (f"{target} {viewers or '-'}" if target else "- 0"))


def usernotice(caps: Caps, channel: str, record: UserNotice, *, time: float, room_id: str) -> bytes:
    """Something that happened around an account: a sub, a raid, an announcement (UN-1).

    Args:
        time: the record's log time.
    """
    if Caps.COMMANDS not in caps:
        return b""
    author = record.author
    rest = f":{SERVER} USERNOTICE #{channel}" + (f" :{record.text}" if record.text else "")
    tags = {f"msg-param-{name}": value for name, value in record.params.items()} | {
        "badge-info": ",".join(author.badge_info),
        "badges": ",".join(author.badges),
        "color": author.color,
        "display-name": author.display_name or author.login,
        "emotes": record.emotes,
        "flags": "",
        "id": record.id,
        "login": author.login,
        "mod": flag(author.mod),
        "msg-id": record.kind,
        "room-id": room_id,
        "subscriber": flag(author.subscriber),
        "system-msg": record.system_msg,
        "tmi-sent-ts": millis(time),
        "user-id": author.user_id,
        "user-type": author.user_type,
    }
    return tagged(tags if Caps.TAGS in caps else {}, rest)
