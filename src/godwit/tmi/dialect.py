"""The dialects that a cluster can speak (OLD-1): lines to clients, and words of clients, that differ between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from godwit.tmi import render, render_2016, render_room
from godwit.tmi.capabilities import Caps, asked_by_old_client
from godwit.tmi.login import LoginFailure
from godwit.tmi.message import Line

Name = Literal["now", "2016"]


class Dialect:
    """What is spoken today. All lines that are not here are the same in all dialects.

    Attributes:
        name: as in the setting `edge.dialect`.
    """

    __slots__ = ()

    name: ClassVar[Name] = "now"
    welcome = staticmethod(render.welcome)
    join_burst = staticmethod(render.join_burst)
    privmsg = staticmethod(render.privmsg)
    userstate = staticmethod(render.userstate)
    roomstate_change = staticmethod(render.roomstate_change)
    notice = staticmethod(render.notice)
    owner_notice = staticmethod(render.notice)
    gap = staticmethod(render.gap)
    clearchat = staticmethod(render_room.clearchat)
    clearmsg = staticmethod(render_room.clearmsg)
    usernotice = staticmethod(render_room.usernotice)

    def refusal(self, reason: LoginFailure) -> str:
        """The text of a refused login (LOGIN-5)."""
        return reason

    def told_by_old_client(self, caps: Caps, line: Line) -> Caps:
        """What a connection's capabilities become by TWITCHCLIENT or JTVCLIENT: nothing else (LOGIN-9)."""
        return caps


class Dialect2016(Dialect):
    """What was spoken in early 2016 (OLD-1 to OLD-8)."""

    __slots__ = ()

    name: ClassVar[Name] = "2016"
    welcome = staticmethod(render_2016.welcome)
    join_burst = staticmethod(render_2016.join_burst)
    privmsg = staticmethod(render_2016.privmsg)
    userstate = staticmethod(render_2016.userstate)
    roomstate_change = staticmethod(render_2016.roomstate_change)
    notice = staticmethod(render_2016.notice)
    owner_notice = staticmethod(render_2016.owner_notice)
    gap = staticmethod(render_2016.gap)
    clearchat = staticmethod(render_2016.clearchat)
    clearmsg = staticmethod(render_2016.clearmsg)
    usernotice = staticmethod(render_2016.usernotice)

    def refusal(self, reason: LoginFailure) -> str:
        """The text of a refused login in the words of the time (OLD-8)."""
        return _REFUSALS.get(reason, reason)

    def told_by_old_client(self, caps: Caps, line: Line) -> Caps:
        """What a connection's capabilities become by TWITCHCLIENT or JTVCLIENT (OLD-7)."""
        form = line.params[0] if line.params and line.command.upper() == "TWITCHCLIENT" else "1"
        return asked_by_old_client(caps, form)


_REFUSALS = {
    LoginFailure.AUTHENTICATION_FAILED: LoginFailure.UNSUCCESSFUL,
    LoginFailure.IMPROPERLY_FORMATTED: LoginFailure.ERROR,
}

NOW = Dialect()
"""The dialect that is spoken if nothing else is said."""

DIALECTS: Mapping[Name, Dialect] = {dialect.name: dialect for dialect in (NOW, Dialect2016())}
"""Name -> dialect."""


def dialect_of(names: Mapping[str, Name], cluster: str) -> Dialect:
    """What a cluster speaks, by the setting `edge.dialect`."""
    return DIALECTS[names.get(cluster, NOW.name)]
