"""What an authority is: it knows whose token it is."""

from __future__ import annotations

from typing import Protocol

import msgspec

from godwit.edge.auth.scopes import Scopes
from godwit.values import Account


class Grant(msgspec.Struct, frozen=True, gc=False):
    """What a token lets somebody do.

    Attributes:
        token: id of the token among those of the store; '' for others.
        expires: when it ends, in seconds since the Unix epoch; 0 for never.
    """

    account: Account
    scopes: Scopes = None
    token: str = ""
    expires: float = 0.0


class Authority(Protocol):
    """Who says whose token it is."""

    async def open(self) -> None:
        """Get ready.

        Raises:
            InvalidSetting: it never will be.
        """
        ...

    async def close(self) -> None:
        """Let go of connections and the like."""
        ...

    async def check(self, nick: str, token: str) -> Grant | None:
        """Say what a token (without `oauth:`) lets the owner of a nick do; None if it does not let him in.

        Raises:
            StoreUnavailable, IdentityUnavailable: nobody can say now.
        """
        ...

    def forget(self, user_id: str) -> None:
        """Keep no earlier answer about an account: its tokens were revoked, or it was removed."""
        ...
