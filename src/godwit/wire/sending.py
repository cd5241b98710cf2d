"""Hands one byte string to many sockets.

There are two of these loops with one promise: `send_each` in Python, and one in C that is built where a compiler
is (`make native` builds it in place; without it everything works, each write costs more). Both go straight to the
operating system, behind the back of the event loop's transports, so they are for sockets alone whose transport has
nothing to send and does not encrypt: `Connection.fd` says which.
"""

from __future__ import annotations

import os
from collections.abc import Callable

SendAll = Callable[[list[int], bytes], list[tuple[int, int]]]
"""Either loop."""


def send_each(sockets: list[int], data: bytes) -> list[tuple[int, int]]:
    """Write the same bytes to each socket, as far as it takes them at once.

    Args:
        sockets: numbers of non-blocking sockets; one below 0 is passed over.

    Returns:
        For each socket that did not take all: its position in the list, and how many bytes it took. What was wrong
        with it comes out when its transport is given the rest.
    """
    missed: list[tuple[int, int]] = []
    size, write = len(data), os.write
    for position, number in enumerate(sockets):
        sent = 0
        if number >= 0:
            try:
                sent = write(number, data)
            except OSError:
                sent = 0
        if sent != size:
            missed.append((position, sent))
    return missed


try:
    from godwit.wire._sendloop import send_all as _native
except ImportError:
    _native = None  # type: ignore[assignment]

NATIVE: SendAll | None = _native
"""The loop in C; None where it was not built."""


def best(native: bool = True) -> SendAll:
    """The faster loop that there is.

    Args:
        native: whether the one in C may be taken.
    """
    return NATIVE if native and NATIVE is not None else send_each


def which(native: bool = True) -> str:
    """Say which one `best` takes, and why."""
    if not native:
        return "Python, as edge.native says"
    return "C" if NATIVE is not None else "Python: the one in C was not built (make native)"
