"""The words of Godwit as frozen values (`docs/architecture.md`, "Words").

Channels are named here by the login of their owner, in lower case and without `#`.
Times are seconds since the Unix epoch. A sequence is a position in the chat log of one cluster;
sequences grow, but need not be dense: other channels share the log.

No value can be part of a cycle, so none is made known to the garbage collector (`gc=False`): chat makes many, and a
log in memory keeps them.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Literal

import msgspec

LOGIN = re.compile(r"[a-z0-9_]{1,25}")
"""A legal login: what Twitch allows, in lower case."""

ROOM = re.compile(r"_[a-z0-9_]{1,40}_[0-9]{13}")
"""A group room's name (protocol row HTTP-chatdepot)."""


GROUP = "group"
"""The cluster of group chat: group rooms live there for good, ordinary channels never do."""


def is_login(name: str) -> bool:
    """Say whether `name` is a legal login in lower case; what is named like a group room is none."""
    return LOGIN.fullmatch(name) is not None and not is_room(name)


def is_channel(name: str) -> bool:
    """Say whether `name` (without `#`, in lower case) can be a channel or a group room."""
    return LOGIN.fullmatch(name) is not None or ROOM.fullmatch(name) is not None


def is_room(name: str) -> bool:
    """Say whether `name` is that of a group room."""
    return name.startswith("_") and ROOM.fullmatch(name) is not None


def owner_of(channel: str) -> str:
    """The login of who owns a channel or a group room."""
    return channel[1:-14] if is_room(channel) else channel


class Position(msgspec.Struct, frozen=True, gc=False, order=True):
    """`(epoch, sequence)`: orders all records of a channel across clusters."""

    epoch: int
    sequence: int

    def __str__(self) -> str:
        return f"{self.epoch}-{self.sequence}"

    @classmethod
    def parse(cls, text: str) -> Position | None:
        """Read what `str` wrote; None if it is something else."""
        match = re.fullmatch(r"([0-9]{1,18})-([0-9]{1,18})", text)
        return cls(int(match[1]), int(match[2])) if match else None


class Segment(msgspec.Struct, frozen=True, gc=False):
    """The part of a channel's log written under one epoch, in one cluster (rules C1, L2).

    Attributes:
        cluster: where it lives.
        epoch: its epoch; higher wins.
        at: records of the segment lie after this sequence.
        stream: creation id of the log that holds it.
        unclean: it was opened by force, its predecessor may hold records nobody saw (rule C8).
    """

    cluster: str
    epoch: int
    at: int
    stream: str
    unclean: bool = False


class Placement(msgspec.Struct, frozen=True, gc=False):
    """Which segment of a channel is the newest, as the store knows it.

    Attributes:
        phase: `draining` while an old cluster still serves members by right, then `settled`.
        drain_until: when the drain of the cluster that was left ends; for a channel without a row, the
            time before which nobody may write to it (rule C10).
        previous: the clusters that were the channel's home before, newest first, without the home.
        default: the channel has no row; it is where the default placement says.
        drains: for each cluster of `previous`, when its own drain ends (rule C11).
    """

    channel: str
    segment: Segment
    phase: Literal["draining", "settled"] = "settled"
    drain_until: float = 0.0
    previous: tuple[str, ...] = ()
    default: bool = False
    drains: tuple[float, ...] = ()


class Author(msgspec.Struct, frozen=True, gc=False):
    """Who says something, with the facts that are shown (rule R1: they travel in the record)."""

    user_id: str
    login: str
    display_name: str = ""
    color: str = ""
    badges: tuple[str, ...] = ()
    badge_info: tuple[str, ...] = ()
    mod: bool = False
    subscriber: bool = False
    vip: bool = False
    turbo: bool = False
    user_type: str = ""


class Reply(msgspec.Struct, frozen=True, gc=False):
    """The message that a message answers.

    Attributes:
        thread: the message that the conversation began with, without its text; None if that is the answered one.
    """

    msg_id: str
    user_id: str
    user_login: str
    display_name: str
    msg_body: str
    thread: Reply | None = None


class Open(msgspec.Struct, frozen=True, gc=False, tag="open"):
    """Shows that a cluster's log is writable; alone it means nothing (rule C1)."""

    id: str
    epoch: int


class Seal(msgspec.Struct, frozen=True, gc=False, tag="seal"):
    """Ends the segment of `epoch`; the first valid one is the switch to `to` (rules C1, C2)."""

    id: str
    epoch: int
    to: Segment


class Message(msgspec.Struct, frozen=True, gc=False, tag="message"):
    """A chat line.

    Attributes:
        id: shown to clients; a connection sees it once.
        producer: the connection that said it; unique for ever.
        number: counts what the producer sends to the channel, from 1 (rule L6).
        emotes: where emotes stand in the text as it is shown, as in the tag of that name.
    """

    id: str
    epoch: int
    producer: str
    number: int
    author: Author
    text: str
    action: bool = False
    nonce: str = ""
    reply: Reply | None = None
    first: bool = False
    emotes: str = ""


ActKind = Literal[
    "ban", "timeout", "lift", "clear", "delete", "mod", "unmod", "vip", "unvip", "host", "unhost", "raid", "unraid"
]
"""What an act does."""

Family = Literal["sanction", "role", "host", "setting"]
"""What an act or a change is about, if it lasts: of one family and target the latest by position counts."""

FAMILIES: dict[str, Family] = {
    **dict.fromkeys(("ban", "timeout", "lift"), "sanction"),
    **dict.fromkeys(("mod", "unmod", "vip", "unvip"), "role"),
    **dict.fromkeys(("host", "unhost"), "host"),
    "set": "setting",
}
"""The families by kind; `set` is a change of one setting. Other acts pass, and have no rows (rules R2, R3)."""


LONGEST_TIMEOUT = 1_209_600
"""Seconds that a timeout may last: two weeks."""


class Act(msgspec.Struct, frozen=True, gc=False, tag="act"):
    """An act of moderators on one account, or on the whole room if `target` is empty.

    Attributes:
        kind: what is done; `timeout` lasts `seconds` from the record's log time; `mod` and `vip` give a role, which
            takes the place of the one that the account had; `host` and `raid` concern the channel `target_login`.
        target: user id of the account concerned; of a channel's owner for `host` and `raid`.
        deletes: id of the message that `delete` removes.
        viewers: how many were in the channel when it began to host another one; 0 if nobody counted.
    """

    id: str
    epoch: int
    producer: str
    number: int
    kind: ActKind
    by: Author
    target: str = ""
    target_login: str = ""
    seconds: int = 0
    reason: str = ""
    deletes: str = ""
    viewers: int = 0


class Change(msgspec.Struct, frozen=True, gc=False, tag="change"):
    """A change of room settings: setting -> value (`slow`: seconds, `subs-only`: 0 or 1, ...)."""

    id: str
    epoch: int
    producer: str
    number: int
    by: Author
    settings: dict[str, int]


class Arrive(msgspec.Struct, frozen=True, gc=False, tag="arrive"):
    """Accounts that had joined early on `cluster` are served there from here on (rule C12)."""

    id: str
    epoch: int
    producer: str
    number: int
    cluster: str
    accounts: tuple[str, ...]


class Tell(msgspec.Struct, frozen=True, gc=False, tag="tell"):
    """Something that operators have to say to a channel's members, such as that it moves soon (NOTICE-7).

    Attributes:
        producer: made for this one record, whose number is 1; it is not appended again after a move.
        msg_id: how clients tell this NOTICE from others.
    """

    id: str
    epoch: int
    producer: str
    number: int
    text: str
    msg_id: str = "godwit_moving"


class UserNotice(msgspec.Struct, frozen=True, gc=False, tag="usernotice"):
    """Something that happened around an account and is shown to the channel: a sub, a raid, an announcement.

    Attributes:
        kind: the `msg-id` of the USERNOTICE, such as `resub`.
        system_msg: what clients show if they don't know the kind.
        params: its `msg-param-*` tags, without that prefix.
        text: what the account said along with it, if anything.
        emotes: where emotes stand in it, as in the tag of that name.
    """

    id: str
    epoch: int
    producer: str
    number: int
    kind: str
    author: Author
    system_msg: str = ""
    params: dict[str, str] = {}
    text: str = ""
    emotes: str = ""


Produced = Message | Act | Change | Arrive | Tell | UserNotice
"""Records that a producer writes: numbered, stored once, acknowledged when read back."""

Record = Open | Seal | Produced


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A record as the log holds it.

    Attributes:
        sequence: its place in the log.
        prev: sequence of the channel's record before it; 0 if there is none or it has expired.
        time: the log's own timestamp, never an edge's clock.
    """

    sequence: int
    prev: int
    time: float
    record: Record


MoveState = Literal["wished", "opening", "opened", "sealing", "sealed", "draining", "settled", "cancelled", "failed"]


class Move(msgspec.Struct, frozen=True, gc=False):
    """One move of one channel, as journaled in the store.

    Attributes:
        source: the segment that is to be sealed.
        target: the cluster to go to.
        epoch: the epoch that the move opens.
        at: sequence of the open record in the target's log, once known.
        version: grows by one with each journaled step.
        history: `(state, time)` of each step so far.
        unshown: messages of a log given up by force that nobody is known to have been shown, at most.
        rollout: id of the rollout that it belongs to, '' for one that was wished for by itself.
        cold: nobody is to be told; it is carried out together with others.
    """

    id: str
    channel: str
    target: str
    state: MoveState
    source: Segment | None = None
    epoch: int = 0
    at: int = 0
    stream: str = ""
    forced: bool = False
    evacuate: bool = False
    by: str = ""
    reason: str = ""
    error: str = ""
    version: int = 0
    history: tuple[tuple[str, float], ...] = ()
    unshown: int = 0
    rollout: str = ""
    cold: bool = False


class Addresses(msgspec.Struct, frozen=True, gc=False):
    """Where a cluster can be reached: `host:port` lists per transport, the preferred first."""

    tcp: tuple[str, ...] = ()
    tls: tuple[str, ...] = ()
    ws: tuple[str, ...] = ()
    wss: tuple[str, ...] = ()


DERIVED_IDS = 2**52
"""User ids from here on are derived from logins, up to twice as much: 16 digits, which fit into a double exactly."""


def derived_id(login: str) -> str:
    """The user id of a login that needs no account to exist (open authentication): always the same one.

    Two of a million logins have the same with a probability of one in ten thousand.
    """
    number = int.from_bytes(blake2b(login.encode(), digest_size=8).digest()) % DERIVED_IDS
    return str(DERIVED_IDS + number)


def is_counted(user_id: str) -> bool:
    """Say whether a user id is a number from which a store counts on: a derived one is not."""
    return user_id.isascii() and user_id.isdecimal() and len(user_id) < len(str(DERIVED_IDS))


class Account(msgspec.Struct, frozen=True, gc=False):
    """Somebody who may log in.

    Attributes:
        badges: what is shown of it in every channel, as `name/version`, such as `partner/1` and `turbo/1`.
        suspended: it may say nothing anywhere.
        channel_suspended: the channel of its name is closed.
    """

    user_id: str
    login: str
    display_name: str = ""
    color: str = ""
    user_type: str = ""
    bot: Literal["", "known", "verified"] = ""
    badges: tuple[str, ...] = ()
    suspended: bool = False
    channel_suspended: bool = False


class Relation(msgspec.Struct, frozen=True, gc=False):
    """What ties an account to a channel, as operators bring it; roles are acts of the room instead.

    Attributes:
        follows_since: when it began to follow the channel, in seconds since the Unix epoch; 0 if it does not.
        subscriber: it has a subscription now.
        months: for how many months it has been a subscriber in all.
        tier: of the subscription: 1000, 2000 or 3000, or `prime`; '' for none.
    """

    channel: str
    user_id: str
    follows_since: float = 0.0
    subscriber: bool = False
    months: int = 0
    tier: str = ""


class Emote(msgspec.Struct, frozen=True, gc=False):
    """A word that clients show as a picture.

    Attributes:
        code: the word, as it is written in chat.
        id: by which clients find the picture.
        channel: where it may be used; '' for everywhere.
    """

    code: str
    id: str
    channel: str = ""
