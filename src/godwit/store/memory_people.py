"""Accounts, relations and emotes in dictionaries; part of `MemoryStore`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Unpack

import msgspec

from godwit.errors import InvalidRequest
from godwit.store import refusals
from godwit.store.base import Sanction
from godwit.store.people_base import AccountFacts, Related, Tie, has_facts
from godwit.values import Account, Emote, Position, Relation, is_counted


class MemoryPeople:
    """Accounts with their facts, what ties them to channels, and emotes."""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}
        self._last_user_id = 0
        self._relations: dict[tuple[str, str], Relation] = {}
        self._emotes: dict[tuple[str, str], Emote] = {}
        self._changes = 0
        self._role_changes = 0
        self._sanctions: dict[str, Sanction] = {}

    # accounts -------------------------------------------------------------------------------

    async def add_account(self, account: Account) -> Account:
        """Add an account, or return the one of that login."""
        if account.login in self._accounts:
            return self._accounts[account.login]
        if not account.user_id:
            account = msgspec.structs.replace(account, user_id=str(self._last_user_id + 1))
        elif any(other.user_id == account.user_id for other in self._accounts.values()):
            raise refusals.user_id_taken(account.user_id, account.login)
        if is_counted(account.user_id):
            self._last_user_id = max(self._last_user_id, int(account.user_id))
        self._accounts[account.login] = account
        self._changes += has_facts(account)
        return account

    async def add_accounts(self, accounts: Sequence[Account]) -> list[Account | None]:
        """`add_account` for many, in their order; None where the user id belongs to another login."""
        # Those that bring their id come first: it is never one that is chosen for another of them.
        for account in sorted(accounts, key=lambda account: not account.user_id):
            try:
                await self.add_account(account)
            except InvalidRequest:
                continue
        return [self._accounts.get(account.login) for account in accounts]

    async def set_account(self, login: str, **facts: Unpack[AccountFacts]) -> Account | None:
        """Change the facts that are given; returns the account as it is then."""
        account = self._accounts.get(login)
        if account is not None:
            account = self._accounts[login] = msgspec.structs.replace(account, **facts)
            self._changes += bool(facts)
        return account

    async def set_accounts(self, accounts: Sequence[Account]) -> None:
        """Replace all facts of many accounts, by login; unknown ones are passed over."""
        self._changes += bool(accounts)
        for account in accounts:
            if account.login in self._accounts:
                user_id = self._accounts[account.login].user_id
                self._accounts[account.login] = msgspec.structs.replace(account, user_id=user_id)

    async def account(self, login: str) -> Account | None:
        """The account of a login."""
        return self._accounts.get(login)

    async def owners(self, logins: Sequence[str]) -> list[Account | None]:
        """The accounts of many logins, in the order asked for."""
        return [self._accounts.get(login) for login in logins]

    async def accounts(self, after: str = "", limit: int = 1000) -> list[Account]:
        """Accounts sorted by login."""
        logins = sorted(login for login in self._accounts if login > after)
        return [self._accounts[login] for login in logins[:limit]]

    async def accounts_of(self, user_ids: Collection[str]) -> dict[str, Account]:
        """Accounts by their user ids."""
        return {account.user_id: account for account in self._accounts.values() if account.user_id in user_ids}

    # relations ------------------------------------------------------------------------------

    async def relations(self, pairs: Sequence[tuple[str, str]]) -> list[Relation]:
        """What ties accounts to channels, in the order asked for."""
        return [self._relations.get(pair) or Relation(*pair) for pair in pairs]

    async def set_relations(self, rows: Sequence[Relation], ties: Collection[Tie]) -> None:
        """Write those halves of relations that `ties` names."""
        self._changes += bool(rows)
        for row in rows:
            key = row.channel, row.user_id
            known = self._relations.get(key) or Relation(*key)
            if "follow" in ties:
                known = msgspec.structs.replace(known, follows_since=row.follows_since)
            if "subscription" in ties:
                known = msgspec.structs.replace(known, subscriber=row.subscriber, months=row.months, tier=row.tier)
            self._relations[key] = known
            if not (known.follows_since or known.subscriber or known.months):
                del self._relations[key]

    async def related(self, channel: str, tie: Tie, *, after: str = "", limit: int = 1000) -> list[Related]:
        """A channel's followers or subscribers that have accounts, by user id."""
        logins = {account.user_id: account.login for account in self._accounts.values()}
        found = [
            Related(logins[user_id], relation)
            for (name, user_id), relation in sorted(self._relations.items())
            if name == channel and user_id > after and user_id in logins
            if (relation.follows_since if tie == "follow" else relation.subscriber)
        ]
        return found[:limit]

    async def set_first_roles(self, rows: Sequence[Sanction]) -> None:
        """Write roles that count from the beginning; one of the same id is replaced."""
        self._role_changes += bool(rows)
        for row in rows:
            self._sanctions[row.id] = msgspec.structs.replace(row, position=Position(0, 0))

    # emotes ---------------------------------------------------------------------------------

    async def set_emotes(self, emotes: Sequence[Emote]) -> None:
        """Add emotes, or replace those with the same code in the same channel."""
        self._changes += bool(emotes)
        self._emotes |= {(emote.channel, emote.code): emote for emote in emotes}

    async def remove_emotes(self, channel: str, codes: Sequence[str]) -> int:
        """Remove emotes of a channel; returns how many there were."""
        removed = sum(self._emotes.pop((channel, code), None) is not None for code in codes)
        self._changes += bool(removed)
        return removed

    async def emotes(self, channel: str = "", *, after: str = "", limit: int = 1000) -> list[Emote]:
        """Emotes of a channel, everybody's for '', by code."""
        found = [emote for key, emote in sorted(self._emotes.items()) if key[0] == channel and key[1] > after]
        return found[:limit]

    async def emotes_of(self, channels: Collection[str]) -> list[Emote]:
        """All emotes of many channels."""
        return [emote for emote in self._emotes.values() if emote.channel in channels]

    async def people_version(self) -> int:
        """A number that grows whenever facts of accounts, relations or emotes change; 0 before the first."""
        return self._changes

    async def roles_version(self) -> int:
        """A number that grows whenever first roles are written; 0 before the first."""
        return self._role_changes
