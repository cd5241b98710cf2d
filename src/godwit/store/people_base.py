"""The part of the store about people and words, as a port: facts of accounts, what ties them to channels, emotes.

Part of `base.Store`, and of its conformance suite (`tests/conformance/people.py`). As there: no clock, no random
number, `StoreUnavailable` when there is no answer, and every write may be repeated.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Literal, Protocol, TypedDict, Unpack

import msgspec

from godwit.values import Account, Emote, Relation

if TYPE_CHECKING:
    from godwit.store.base import Sanction

Tie = Literal["follow", "subscription"]
"""The two halves of a `Relation`, each written without the other."""


class AccountFacts(TypedDict, total=False):
    """What may be changed of an account, as the fields of `Account`."""

    display_name: str
    color: str
    user_type: str
    bot: Literal["", "known", "verified"]
    badges: tuple[str, ...]
    suspended: bool
    channel_suspended: bool


def has_facts(account: Account) -> bool:
    """Say whether more is known of an account than its name."""
    return account != Account(account.user_id, account.login)


class Related(msgspec.Struct, frozen=True):
    """A relation with the login that it is about."""

    login: str
    relation: Relation


class People(Protocol):
    """What the store knows of accounts beyond their names, and of emotes."""

    # accounts -------------------------------------------------------------------------------

    async def set_account(self, login: str, **facts: Unpack[AccountFacts]) -> Account | None:
        """Change the facts that are given, and no others; returns the account as it is then, None if there is none."""
        ...

    async def add_accounts(self, accounts: Sequence[Account]) -> list[Account | None]:
        """`add_account` for many in one write, in their order; None where the user id belongs to another login."""
        ...

    async def set_accounts(self, accounts: Sequence[Account]) -> None:
        """Replace all facts of many accounts in one write, by login; unknown ones are passed over."""
        ...

    async def accounts_of(self, user_ids: Collection[str]) -> dict[str, Account]:
        """Accounts by their user ids; without those that there are not."""
        ...

    # relations ------------------------------------------------------------------------------

    async def relations(self, pairs: Sequence[tuple[str, str]]) -> list[Relation]:
        """What ties accounts to channels, in the order asked for; where nothing does, a relation without facts.

        Args:
            pairs: channel and user id.
        """
        ...

    async def set_relations(self, rows: Sequence[Relation], ties: Collection[Tie]) -> None:
        """Write those halves of relations that `ties` names; the other half stays as it is."""
        ...

    async def related(self, channel: str, tie: Tie, *, after: str = "", limit: int = 1000) -> list[Related]:
        """A channel's followers or subscribers that have accounts, by user id, beginning behind the id `after`."""
        ...

    async def set_first_roles(self, rows: Sequence[Sanction]) -> None:
        """Write roles that count from the beginning (position 0-0); one of the same id is replaced."""
        ...

    # emotes ---------------------------------------------------------------------------------

    async def set_emotes(self, emotes: Sequence[Emote]) -> None:
        """Add emotes, or replace those with the same code in the same channel."""
        ...

    async def remove_emotes(self, channel: str, codes: Sequence[str]) -> int:
        """Remove emotes of a channel, of everybody's for ''; returns how many there were."""
        ...

    async def emotes(self, channel: str = "", *, after: str = "", limit: int = 1000) -> list[Emote]:
        """Emotes of a channel, everybody's for '', by code, beginning behind the code `after`."""
        ...

    async def emotes_of(self, channels: Collection[str]) -> list[Emote]:
        """All emotes of many channels, in no order."""
        ...

    # changes --------------------------------------------------------------------------------

    async def people_version(self) -> int:
        """A number that grows whenever facts of accounts, relations or emotes change; 0 before the first.

        Accounts that are added without facts do not count.
        """
        ...

    async def roles_version(self) -> int:
        """A number that grows whenever first roles are written; 0 before the first."""
        ...
