"""Lines to clients: stateless functions from values and a connection's capabilities to bytes.

A line is rendered once per set of capabilities, never once per member. b"" means that such a
connection is not sent this line (CAP-6). Channels are named without `#`; times are seconds since the
Unix epoch. Tags stand in alphabetical order. Every function raises `LocalProtocolError` for text that
cannot be on a line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Literal

from godwit.tmi.capabilities import NONE, Caps
from godwit.tmi.emotes import is_emotes
from godwit.tmi.login import SERVER, WELCOME, is_anonymous
from godwit.tmi.message import encode, encode_lines, escape
from godwit.tmi.tags import flag, millis, tagged
from godwit.tmi.text import addressed
from godwit.values import Account, Addresses, Author, Message, Position, Reply

SETTINGS: Mapping[str, int] = {
    "emote-only": 0,
    "followers-only": -1,
    "r9k": 0,
    "rituals": 0,
    "slow": 0,
    "subs-only": 0,
}
"""Room settings and what they are in a new room (STATE-2)."""

_TAGS, _COMMANDS, _POSITION = int(Caps.TAGS), int(Caps.COMMANDS), int(Caps.POSITION)
"""As plain numbers: asking an enum takes as long as rendering half a line."""

MAX_NAMES = 400
"""Bytes of names on one 353 line (JOIN-4)."""


def user(login: str) -> str:
    """The prefix of what a user does (LINE-1)."""
    return f":{login}!{login}@{login}.{SERVER}"


# answers to the client itself ---------------------------------------------------------------------


def numeric(number: str, nick: str, subject: str, text: str) -> bytes:
    """A numeric answer, such as 421; `subject` is what it is about, or ''."""
    return encode(f":{SERVER} {number} {nick} {subject and subject + ' '}:{text}")


def cap(verb: str, capabilities: str) -> bytes:
    """An answer to CAP; the second word is always `*` (CAP-1)."""
    return encode(f":{SERVER} CAP * {verb} :{capabilities}")


def ping() -> bytes:
    """The server's PING (PING-2)."""
    return encode(f"PING :{SERVER}")


def pong(argument: str) -> bytes:
    """The answer to a PING: without a prefix if that was bare (PING-1)."""
    return encode(f":{SERVER} PONG {SERVER} :{argument}" if argument else f"PONG :{SERVER}")


def welcome(caps: Caps, account: Account) -> bytes:
    """The welcome block as one element, with GLOBALUSERSTATE where due (LOGIN-2, LOGIN-3, WS-2)."""
    return greeting(account.login) + globaluserstate(caps, account)


def greeting(nick: str) -> bytes:
    """The seven numerics of the welcome (LOGIN-2)."""
    return encode_lines(_GREETING.replace("*", nick), nick)


_GREETING = "".join(f":{SERVER} {number} * :{text}\r\n" for number, text in WELCOME)


def globaluserstate(caps: Caps, account: Account) -> bytes:
    """What the account is everywhere; needs COMMANDS, never to anonymous ones (LOGIN-3)."""
    if Caps.COMMANDS not in caps or is_anonymous(account.login):
        return b""
    tags = {
        "badge-info": "",
        "badges": "",
        "color": account.color,
        "display-name": account.display_name or account.login,
        "emote-sets": "0",
        "user-id": account.user_id,
        "user-type": account.user_type,
    }
    return tagged(tags if Caps.TAGS in caps else {}, f":{SERVER} GLOBALUSERSTATE")


# membership ---------------------------------------------------------------------------------------


def join(login: str, channel: str) -> bytes:
    """Somebody is in; to others only with MEMBERSHIP, which the caller sees to."""
    return encode(f"{user(login)} JOIN #{channel}")


def part(login: str, channel: str) -> bytes:
    """Somebody is out (PART-1)."""
    return encode(f"{user(login)} PART #{channel}")


def names(caps: Caps, nick: str, channel: str, others: Sequence[str] = ()) -> bytes:
    """The NAMES list: others with MEMBERSHIP only, then the one who asked, then the end (JOIN-4)."""
    mine = f"{nick}.{SERVER}"
    head = f":{mine} 353 {nick} = #{channel} :"
    end = f"{head}{nick}\r\n:{mine} 366 {nick} #{channel} :End of /NAMES list\r\n"
    if not others or Caps.MEMBERSHIP not in caps:
        return encode_lines(end, nick, channel)
    listed = " ".join([name for name in others if name != nick])
    rows = "".join([f"{head}{row}\r\n" for row in _rows(listed)])
    return encode_lines(rows + end, nick, channel, listed)


def _rows(names: str) -> Iterator[str]:
    """Names cut into rows that are short enough: searched for as a whole, since there may be a thousand."""
    start = 0
    while len(names) - start > MAX_NAMES:
        cut = names.rfind(" ", start, start + MAX_NAMES + 1)
        if cut < 0:
            break  # a name longer than a row; there are none
        yield names[start:cut]
        start = cut + 1
    if names:
        yield names[start:]


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
    """The answer to a JOIN as one element: JOIN, 353, 366, USERSTATE, ROOMSTATE (JOIN-2, JOIN-3, JOIN-6).

    Args:
        author: who joined, as the channel sees them.
        position: everything behind it will be shown; None if nothing is promised yet (early JOIN).
    """
    return b"".join(
        (
            join(author.login, channel),
            names(caps, author.login, channel, others),
            userstate(caps, channel, author, emote_sets=emote_sets),
            roomstate(
                caps,
                channel,
                room_id=room_id,
                settings=settings,
                position=position,
                cluster=cluster,
                epoch=epoch,
                home=home,
            ),
        )
    )


# what is said and how things stand ------------------------------------------------------------------


def privmsg(
    caps: Caps, channel: str, message: Message, *, time: float, room_id: str, position: Position | None = None
) -> bytes:
    """A message as others see it (MSG-1, MSG-3, MSG-6 to MSG-9, EMOTE-3); each is an element of its own (WS-2).

    Connections of the same `capabilities.message_view` get the same bytes. A reply is shown with
    `@Name ` in front, which `message.text` does not hold (MSG-7).

    Args:
        time: the record's log time.
    """
    author, reply = message.author, message.reply
    text = addressed(message.text, reply)
    shown = f"\x01ACTION {text}\x01" if message.action else text
    login = author.login
    rest = f":{login}!{login}@{login}.{SERVER} PRIVMSG #{channel} :{shown}"
    if not int.__and__(caps, _TAGS):
        return encode(rest)
    # Written out in alphabetical order: this is the one line that makes up nearly all of a chat's traffic.
    badges, look = look_of(author)
    nonce = f"client-nonce={escape(message.nonce)};" if message.nonce else ""
    only = "emote-only=1;" if message.emotes and is_emotes(text, message.emotes) else ""
    place = f"godwit-position={position};" if position and int.__and__(caps, _POSITION) else ""
    return encode(
        f"@{badges}{nonce}{look}{only}emotes={message.emotes};first-msg={'1' if message.first else '0'};flags=;{place}"
        f"id={message.id};mod={'1' if author.mod else '0'};{_answered(reply) if reply else ''}returning-chatter=0;"
        f"room-id={room_id};subscriber={'1' if author.subscriber else '0'};tmi-sent-ts={round(time * 1000)};"
        f"turbo={'1' if author.turbo else '0'};user-id={author.user_id};user-type={author.user_type}"
        f"{';vip=1' if author.vip else ''} {rest}"
    )


_looks: dict[int, tuple[Author, tuple[str, str]]] = {}
"""How those are shown who have spoken lately, by the identity of the value, which is kept with it and so stays its own.
Hashing the eleven fields of an author would cost as much as what is saved."""

MOST_LOOKS = 4096


def look_of(author: Author) -> tuple[str, str]:
    """How an author is shown, as tags: the badges, and colour with name, each with a `;` behind it (BADGE-1)."""
    known = _looks.get(id(author))
    if known is not None:
        return known[1]
    look = _look_of(author)
    if len(_looks) >= MOST_LOOKS:
        _looks.clear()
    _looks[id(author)] = author, look
    return look


def _look_of(author: Author) -> tuple[str, str]:
    badges, info, name = ",".join(author.badges), ",".join(author.badge_info), author.display_name or author.login
    return (
        f"badge-info={escape(info) if info else ''};badges={escape(badges) if badges else ''};",
        f"color={author.color};display-name={escape(name)};",
    )


def _answered(reply: Reply) -> str:
    """The tags of a message that answers another one, each with a `;` behind it (MSG-7)."""
    first = reply.thread or reply
    tags = {
        "reply-parent-display-name": reply.display_name or reply.user_login,
        "reply-parent-msg-body": reply.msg_body,
        "reply-parent-msg-id": reply.msg_id,
        "reply-parent-user-id": reply.user_id,
        "reply-parent-user-login": reply.user_login,
        "reply-thread-parent-display-name": first.display_name or first.user_login,
        "reply-thread-parent-msg-id": first.msg_id,
        "reply-thread-parent-user-id": first.user_id,
        "reply-thread-parent-user-login": first.user_login,
    }
    return "".join(f"{key}={escape(value)};" for key, value in tags.items())


def userstate(
    caps: Caps, channel: str, author: Author, *, msg_id: str = "", nonce: str = "", emote_sets: str = "0"
) -> bytes:
    """What somebody is in a channel; with an id it says that this message was sent (STATE-1, MSG-1, EMOTE-4)."""
    if not int.__and__(caps, _COMMANDS) or is_anonymous(author.login):
        return b""
    if not int.__and__(caps, _TAGS):
        return encode(f":{SERVER} USERSTATE #{channel}")
    badges, look = look_of(author)
    return encode(
        f"@{badges}{f'client-nonce={escape(nonce)};' if nonce else ''}{look}emote-sets={emote_sets};"
        f"{f'id={msg_id};' if msg_id else ''}mod={'1' if author.mod else '0'};"
        f"subscriber={'1' if author.subscriber else '0'};user-type={author.user_type} :{SERVER} USERSTATE #{channel}"
    )


def roomstate(
    caps: Caps,
    channel: str,
    *,
    room_id: str,
    settings: Mapping[str, int],
    position: Position | None = None,
    cluster: str = "",
    epoch: int = 0,
    home: bool = True,
) -> bytes:
    """All settings of a room (STATE-2), as the last line of a JOIN's answer with its place (JOIN-6).

    Args:
        position: everything behind it will be shown; None if nothing is promised.
        cluster: the cluster that answers; '' leaves all `godwit-` tags out.
        epoch: the newest epoch of the channel that this cluster knows.
        home: whether this cluster is the channel's home.
    """
    if Caps.POSITION in caps and cluster:
        tags = {**_settings({**SETTINGS, **settings}), "room-id": room_id}
        return roomstate_line(caps, channel, tags | place(caps, position, cluster, epoch, home=home))
    return _roomstate(caps, channel, room_id, tuple(settings.items()))


@lru_cache(maxsize=4096)  # when a crowd comes, it is the same for thousands
def _roomstate(caps: Caps, channel: str, room_id: str, settings: tuple[tuple[str, int], ...]) -> bytes:
    return roomstate_line(caps, channel, {**_settings({**SETTINGS, **dict(settings)}), "room-id": room_id})


def roomstate_change(caps: Caps, channel: str, *, room_id: str, changed: Mapping[str, int]) -> bytes:
    """The settings that changed, and `room-id` (STATE-3)."""
    return roomstate_line(caps, channel, {**_settings(changed), "room-id": room_id})


def place(caps: Caps, position: Position | None, cluster: str, epoch: int, *, home: bool) -> dict[str, str]:
    """The tags of a ROOMSTATE that tell the place in the channel; none without POSITION (JOIN-6, CAP-7)."""
    if Caps.POSITION not in caps or not cluster:
        return {}
    tags = {"godwit-cluster": cluster, "godwit-epoch": str(epoch), "godwit-home": flag(home)}
    return tags | {"godwit-position": str(position)} if position else tags


def _settings(settings: Mapping[str, int]) -> dict[str, str]:
    return {name: str(value) for name, value in settings.items()}


def roomstate_line(caps: Caps, channel: str, tags: Mapping[str, str]) -> bytes:
    """A ROOMSTATE with these tags; needs COMMANDS."""
    if Caps.COMMANDS not in caps:
        return b""
    return tagged(tags if Caps.TAGS in caps else {}, f":{SERVER} ROOMSTATE #{channel}")


def notice(caps: Caps, channel: str, msg_id: str, text: str) -> bytes:
    """A NOTICE to a channel's members, who need COMMANDS, or to `*`, who need nothing (NOTICE-1)."""
    if channel == "*":
        return encode(f":{SERVER} NOTICE * :{text}")
    if Caps.COMMANDS not in caps:
        return b""
    return tagged({"msg-id": msg_id} if Caps.TAGS in caps else {}, f":{SERVER} NOTICE #{channel} :{text}")


def gap(caps: Caps, channel: str, missing: int | None) -> bytes:
    """Tell that lines are missing before the next one, and how many if known (NOTICE-2)."""
    if Caps.COMMANDS not in caps:
        return b""
    tags = {"msg-id": "godwit_gap"}
    if Caps.POSITION in caps:
        tags["godwit-missing"] = "unknown" if missing is None else str(missing)
    return tagged(tags if Caps.TAGS in caps else {}, f":{SERVER} NOTICE #{channel} :{gap_text(missing)}")


def gap_text(missing: int | None) -> str:
    """What is said of lines that are missing (NOTICE-2)."""
    count = "Some" if missing is None else str(missing)
    return f"{count} message{'' if missing == 1 else 's'} of this channel could not be shown here."


# moving -------------------------------------------------------------------------------------------


def reconnect(caps: Caps) -> bytes:
    """Ask to come back on a new connection; needs COMMANDS (RC-1)."""
    return encode(f":{SERVER} RECONNECT") if Caps.COMMANDS in caps else b""


def serverchange(
    caps: Caps,
    channel: str,
    *,
    destination: Literal["tags", "parameter", "none"],
    cluster: str,
    epoch: int,
    addresses: Addresses,
    drain_until: float = 0.0,
) -> bytes:
    """The channel lives on another cluster; goes to every member whatever its capabilities (SC-1 to SC-3).

    Args:
        destination: how the cluster is named (setting `move.destination`).
        drain_until: until when the cluster that sends this serves the channel; 0 if that has no end.
    """
    rest = f":{SERVER} SERVERCHANGE #{channel}"
    if destination == "parameter":
        return encode(f"{rest} {cluster}")
    if destination == "none" or Caps.TAGS not in caps:
        return encode(rest)
    tags = {
        "godwit-cluster": cluster,
        "godwit-drain-until": millis(drain_until) if drain_until else "",
        "godwit-epoch": str(epoch),
        "godwit-tcp": ",".join(addresses.tcp),
        "godwit-tls": ",".join(addresses.tls),
        "godwit-ws": ",".join(addresses.ws),
        "godwit-wss": ",".join(addresses.wss),
    }
    return tagged(tags, rest)


def inquire(channel: str, cluster: str, address: str, *, caps: Caps = NONE, epoch: int = 0) -> bytes:
    """Where a channel is: cluster and an address of the kind the client uses (INQ-1)."""
    tags = {"godwit-epoch": str(epoch)} if Caps.TAGS in caps and epoch else {}
    return tagged(tags, f":{SERVER} INQUIRE #{channel} {cluster} {address}")
