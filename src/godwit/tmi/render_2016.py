"""Lines to clients as they were in early 2016, where they differ from `render` and `render_room`, whose rules hold.

What a client of that time could not know is left out or put in its words: a client without COMMANDS is told by
`jtv` what others are told by NOTICE (OLD-2), and what happened around an account is told by `twitchnotify` (OLD-6).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from godwit.tmi import render
from godwit.tmi.capabilities import Caps
from godwit.tmi.login import SERVER, is_anonymous
from godwit.tmi.message import encode
from godwit.tmi.tags import flag, tagged
from godwit.tmi.text import addressed, clean
from godwit.values import Account, Act, Author, Message, Position, UserNotice

SETTINGS: Mapping[str, int] = {"r9k": 0, "slow": 0, "subs-only": 0}
"""Room settings that were told, and what they are in a new room (OLD-4)."""

_TURBO = "turbo/1"


# from the server itself ---------------------------------------------------------------------------


def jtv(channel: str, text: str) -> bytes:
    """The server tells those in a channel something (OLD-2)."""
    return encode(f"{render.user('jtv')} PRIVMSG #{channel} :{text}")


def jtv_to(nick: str, text: str) -> bytes:
    """The server tells one user something (OLD-3)."""
    return encode(f"{render.user('jtv')} PRIVMSG {nick} :{text}")


def described(target: str, text: str) -> bytes:
    """A line for clients that said TWITCHCLIENT (OLD-7).

    Args:
        target: a nick, or a channel with its `#`.
    """
    return encode(f":jtv PRIVMSG {target} :{clean(text)}")


def about(author: Author) -> list[str]:
    """What such clients are told of somebody who is about to speak (OLD-7)."""
    login = author.login
    lines = [f"USERCOLOR {login} {author.color}"] if author.color else []
    kinds = {"subscriber": author.subscriber, "turbo": author.turbo, author.user_type: author.user_type in _SPECIAL}
    lines += [f"SPECIALUSER {login} {kind}" for kind, is_one in kinds.items() if is_one]
    return [*lines, f"EMOTESET {login} [0]"]


def about_act(act: Act) -> list[str]:
    """What such clients are told of an act (OLD-7)."""
    if act.kind in ("ban", "timeout", "clear"):
        return [f"CLEARCHAT {act.target_login}".rstrip()]
    if act.kind == "host":
        return [f"HOSTTARGET {act.target_login} {act.viewers or '-'}"]
    return ["HOSTTARGET - 0"] if act.kind == "unhost" else []


_SPECIAL = frozenset({"staff", "admin"})


# answers to the client itself ---------------------------------------------------------------------


def welcome(caps: Caps, account: Account) -> bytes:
    """The welcome block as one element, with GLOBALUSERSTATE where due (LOGIN-2, LOGIN-3, OLD-4)."""
    return render.greeting(account.login) + globaluserstate(caps, account)


def globaluserstate(caps: Caps, account: Account) -> bytes:
    """What the account is everywhere; needs COMMANDS, never to anonymous ones (LOGIN-3, OLD-4)."""
    if Caps.COMMANDS not in caps or is_anonymous(account.login):
        return b""
    tags = {
        "color": account.color,
        "display-name": account.display_name or account.login,
        "emote-sets": "0",
        "turbo": flag(_TURBO in account.badges),
        "user-id": account.user_id,
        "user-type": account.user_type,
    }
    return tagged(tags if Caps.TAGS in caps else {}, f":{SERVER} GLOBALUSERSTATE")


def join_burst(
    caps: Caps,
    channel: str,
    author: Author,
    *,
    room_id: str,
    settings: Mapping[str, int],
    others: Sequence[str] = (),
    position: Position | None = None,
    cluster: str = "",
    epoch: int = 0,
    home: bool = True,
    emote_sets: str = "0",
) -> bytes:
    """The answer to a JOIN as one element: JOIN, 353, 366, USERSTATE, ROOMSTATE (JOIN-2, JOIN-6, OLD-4)."""
    tags = {
        "broadcaster-lang": "",
        "room-id": room_id,
        **{name: str(settings.get(name, default)) for name, default in SETTINGS.items()},
    }
    return b"".join(
        (
            render.join(author.login, channel),
            render.names(caps, author.login, channel, others),
            userstate(caps, channel, author, emote_sets=emote_sets),
            render.roomstate_line(caps, channel, tags | render.place(caps, position, cluster, epoch, home=home)),
        )
    )


# what is said and how things stand ------------------------------------------------------------------


def privmsg(
    caps: Caps, channel: str, message: Message, *, time: float, room_id: str, position: Position | None = None
) -> bytes:
    """A message as others see it (OLD-4); a reply is text with `@Name ` in front and nothing else."""
    author = message.author
    text = addressed(message.text, message.reply)
    shown = f"\x01ACTION {text}\x01" if message.action else text
    rest = f"{render.user(author.login)} PRIVMSG #{channel} :{shown}"
    if Caps.TAGS not in caps:
        return encode(rest)
    tags = {**_author(author), "emotes": message.emotes, "id": message.id, "room-id": room_id}
    if position and Caps.POSITION in caps:
        tags["godwit-position"] = str(position)
    return tagged(tags, rest)


def _author(author: Author) -> dict[str, str]:
    return {
        "badges": ",".join(author.badges),
        "color": author.color,
        "display-name": author.display_name or author.login,
        "mod": flag(author.mod),
        "subscriber": flag(author.subscriber),
        "turbo": flag(author.turbo),
        "user-id": author.user_id,
        "user-type": author.user_type,
    }


def userstate(
    caps: Caps, channel: str, author: Author, *, msg_id: str = "", nonce: str = "", emote_sets: str = "0"
) -> bytes:
    """What somebody is in a channel (OLD-4); which message was sent is told only to who gave it a nonce."""
    if Caps.COMMANDS not in caps or is_anonymous(author.login):
        return b""
    tags = {
        "color": author.color,
        "display-name": author.display_name or author.login,
        "emote-sets": emote_sets,
        "mod": flag(author.mod),
        "subscriber": flag(author.subscriber),
        "turbo": flag(author.turbo),
        "user-type": author.user_type,
    }
    if nonce:
        tags |= {"client-nonce": nonce, "id": msg_id}
    return tagged(tags if Caps.TAGS in caps else {}, f":{SERVER} USERSTATE #{channel}")


def roomstate_change(caps: Caps, channel: str, *, room_id: str, changed: Mapping[str, int]) -> bytes:
    """The settings that changed, of those that were told (OLD-4)."""
    tags = {name: str(value) for name, value in changed.items() if name in SETTINGS}
    return render.roomstate_line(caps, channel, tags) if tags else b""


def notice(caps: Caps, channel: str, msg_id: str, text: str) -> bytes:
    """A NOTICE; without COMMANDS `jtv` says it (OLD-2)."""
    if channel == "*" or Caps.COMMANDS in caps:
        return render.notice(caps, channel, msg_id, text)
    return jtv(channel, text)


def owner_notice(caps: Caps, channel: str, msg_id: str, text: str) -> bytes:
    """`jtv` tells the owner of a channel, who is called as the channel is, who hosts it (OLD-3)."""
    return jtv_to(channel, text.replace(" for up to ", " for "))


def gap(caps: Caps, channel: str, missing: int | None) -> bytes:
    """Tell that lines are missing before the next one; without COMMANDS `jtv` says it (NOTICE-2, OLD-2)."""
    return render.gap(caps, channel, missing) if Caps.COMMANDS in caps else jtv(channel, render.gap_text(missing))


# what happens in a room ---------------------------------------------------------------------------


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
    """A whole room or one user's lines are cleared; without `seconds` a user is banned for good (OLD-5)."""
    if Caps.COMMANDS not in caps:
        return b""
    rest = f":{SERVER} CLEARCHAT #{channel}"
    if not target_login:
        return encode(rest)
    tags = {"ban-duration": str(seconds)} if seconds else {}
    if reason:
        tags["ban-reason"] = reason
    return tagged(tags if Caps.TAGS in caps else {}, f"{rest} :{target_login}")


def clearmsg(
    caps: Caps, channel: str, *, login: str, target_msg_id: str, text: str, time: float, room_id: str = ""
) -> bytes:
    """Nothing: a single message could not be removed (OLD-5)."""
    return b""


def usernotice(caps: Caps, channel: str, record: UserNotice, *, time: float, room_id: str) -> bytes:
    """Something that happened around an account (OLD-6): USERNOTICE is for `resub` alone."""
    author = record.author
    name = author.display_name or author.login
    if record.kind == "sub":
        return _twitchnotify(channel, f"{name} just subscribed!")
    if record.kind == "resub":
        months = record.params.get("cumulative-months", "1")
        if Caps.COMMANDS not in caps:
            return _twitchnotify(channel, f"{name} subscribed for {months} months in a row!")
        tags = {
            **_author(author),
            "emotes": record.emotes,
            "login": author.login,
            "msg-id": record.kind,
            "msg-param-months": months,
            "room-id": room_id,
            "system-msg": f"{name} has subscribed for {months} months!",
        }
        rest = f":{SERVER} USERNOTICE #{channel}" + (f" :{record.text}" if record.text else "")
        return tagged(tags if Caps.TAGS in caps else {}, rest)
    if record.system_msg:
        return _twitchnotify(channel, record.system_msg)
    said = Message(
        id=record.id,
        epoch=record.epoch,
        producer=record.producer,
        number=record.number,
        author=author,
        text=record.text,
        emotes=record.emotes,
    )
    return privmsg(caps, channel, said, time=time, room_id=room_id) if record.text else b""


def _twitchnotify(channel: str, text: str) -> bytes:
    # What stands in a tag today may hold anything.
    return encode(f"{render.user('twitchnotify')} PRIVMSG #{channel} :{clean(text)}")
