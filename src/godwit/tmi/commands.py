"""The commands of clients as a table: the connection checks what a row asks for, handlers don't."""

from __future__ import annotations

from enum import IntEnum, auto

import msgspec


class Handler(IntEnum):
    """What is done about a command."""

    CAPABILITIES = auto()
    PASSWORD = auto()
    NICK = auto()
    PING = auto()
    PONG = auto()
    QUIT = auto()
    JOIN = auto()
    PART = auto()
    MESSAGE = auto()
    INQUIRE = auto()
    OLD_CLIENT = auto()
    IGNORE = auto()


class Command(msgspec.Struct, frozen=True):
    """One row.

    Attributes:
        early: may be used before the login is done (LOGIN-6).
        min_params: with fewer the client is told so (CMD-2).
    """

    name: str
    early: bool
    min_params: int
    handler: Handler


COMMANDS: dict[str, Command] = {
    row.name: row
    for row in (
        Command("CAP", True, 1, Handler.CAPABILITIES),
        Command("PASS", True, 0, Handler.PASSWORD),
        Command("NICK", True, 0, Handler.NICK),
        Command("USER", True, 0, Handler.IGNORE),
        Command("MODE", True, 0, Handler.IGNORE),
        Command("TWITCHCLIENT", True, 0, Handler.OLD_CLIENT),
        Command("JTVCLIENT", True, 0, Handler.OLD_CLIENT),
        Command("JTVROOMS", True, 0, Handler.IGNORE),
        Command("PING", True, 0, Handler.PING),
        Command("PONG", True, 0, Handler.PONG),
        Command("QUIT", True, 0, Handler.QUIT),
        Command("JOIN", False, 1, Handler.JOIN),
        Command("PART", False, 1, Handler.PART),
        Command("PRIVMSG", False, 2, Handler.MESSAGE),
        Command("INQUIRE", False, 1, Handler.INQUIRE),
    )
}
"""Name in upper case -> row. Any other command is answered with 421 (CMD-1)."""
