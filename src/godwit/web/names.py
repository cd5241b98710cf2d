"""Names as people and programs write them, read strictly, refused with one line that helps."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from godwit.errors import InvalidRequest, MoveRefused, UnknownChannel, UnknownCluster
from godwit.values import GROUP, is_channel, is_login, is_room

LONGEST_NUMBER = 16
"""Digits of a user id that is told as a number: in a double it is exact up to here, as our own are chosen."""

LONGEST_SHOWN = 60
"""Characters of a wrong name that an error repeats."""


def shown(text: str) -> str:
    """Quote `text` for an error: cut, on one line, with control characters escaped."""
    return repr(text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "...")


def _lower(text: str) -> str:
    # Beyond ASCII, lower() maps some letters into a-z; such a name is another name, not this one.
    return text.lower() if text.isascii() else text


def channel_name(text: str, *, rooms: bool = False) -> str:
    """Read a channel's name: with or without `#`, in any case.

    Args:
        rooms: a group room will do, too.

    Returns:
        The name as Godwit stores it: lower case, without `#`.

    Raises:
        UnknownChannel: it cannot be a channel.
    """
    name = _lower(text.removeprefix("#"))
    if not is_channel(name):
        raise UnknownChannel(
            f"{shown(text)} cannot be a channel: a channel is named by its owner's login, 1 to 25 of a-z, 0-9 and _"
        )
    if is_room(name) and not rooms:
        raise UnknownChannel(f"{shown(text)} is a group room: operators do nothing there, and it is never moved")
    return name


def login_name(text: str) -> str:
    """Read a login, in any case.

    Raises:
        InvalidRequest: it cannot be a login, or is one of those kept for anonymous readers.
    """
    name = _lower(text)
    if not is_login(name):
        raise InvalidRequest(f"{shown(text)} cannot be a login: use 1 to 25 of a-z, 0-9 and _")
    if name.startswith("justinfan") and name.removeprefix("justinfan").isdigit():
        raise InvalidRequest(f"{shown(text)} cannot be an account: justinfan and digits is for anonymous readers")
    return name


def numbered(user_id: str) -> int | str:
    """A user id as clients of 2016 have it: a number, if it is one that every client can hold."""
    is_number = user_id.isascii() and user_id.isdecimal() and len(user_id) <= LONGEST_NUMBER
    return int(user_id) if is_number and str(int(user_id)) == user_id else user_id


def cluster_name(text: str, clusters: Collection[str], *, for_channel: bool = False) -> str:
    """Read the name of a configured cluster.

    Args:
        for_channel: a channel is to live there, which none does on the cluster of group chat.

    Raises:
        UnknownCluster: no cluster has that name.
    """
    offered = [name for name in clusters if not (for_channel and name == GROUP)]
    if text not in offered:
        what = "cluster for channels" if for_channel else "cluster"
        raise UnknownCluster(f"there is no {what} {shown(text)}: choose one of {', '.join(offered)}")
    return text


def refuse_retired(cluster: str, retired: Mapping[str, str]) -> None:
    """Refuse a cluster that no channel can go to, since another one serves in its place.

    Args:
        retired: retired clusters, and what serves in their place.

    Raises:
        MoveRefused: which that is, and what to do.
    """
    if cluster in retired:
        into = retired[cluster]
        raise MoveRefused(
            f"{cluster} is retired into {into}: go to {into}, or bring it back with 'godwit cluster restore {cluster}'"
        )
