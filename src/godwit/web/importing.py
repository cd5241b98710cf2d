"""Accounts, roles, followers, subscribers and emotes, brought in by the thousand (HTTP-import)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel

from godwit.errors import InvalidRequest
from godwit.store.base import Sanction
from godwit.values import Account, Emote, Position, Relation
from godwit.web import people_views as views
from godwit.web.accounts import People
from godwit.web.admission import Admin
from godwit.web.names import channel_name, login_name
from godwit.web.network_views import Imported, RefusedRow
from godwit.web.relations import subscription
from godwit.web.rows import InvalidHeading, Reader, checked, lines_of
from godwit.web.views import Actor

AT_ONCE = 1000
"""Rows that are written together."""

TOLD = 1000
"""Refused rows that are told one by one."""

What = Literal["accounts", "roles", "followers", "subscribers", "emotes"]

ACCOUNT = (
    "login", "user_id", "display_name", "color", "user_type", "bot", "badges", "suspended", "channel_suspended",
)  # fmt: skip


@dataclass(slots=True)
class Import:
    """An import under way.

    Attributes:
        by: who brings it.
        add: accounts that are not there are added.
    """

    by: str
    add: bool = False
    written: int = 0
    refused_count: int = 0
    refused: list[RefusedRow] = field(default_factory=list)

    def refuse(self, line: int, why: str) -> None:
        """Take note of a row that is not taken."""
        self.refused_count += 1
        if len(self.refused) < TOLD:
            self.refused.append(RefusedRow(line=line, error=why))


Line = tuple[int, Any]
"""The number of a line, and what it says."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What may be imported.

    Attributes:
        columns: of its rows.
        needed: those that each row must have.
        empty: those that an empty cell of CSV says something of.
        row: how a row is checked.
        write: writes rows, and refuses those that cannot be.
    """

    columns: tuple[str, ...]
    needed: tuple[str, ...]
    row: type[BaseModel]
    write: Callable[[Import, list[Line]], Awaitable[None]]
    empty: tuple[str, ...] = ()


class Importing:
    """Takes rows, checks them, and writes those that are right."""

    def __init__(self, people: People) -> None:
        self._people = people
        self._store = people.store
        self._kinds: dict[What, Kind] = {
            "accounts": Kind(
                ACCOUNT, ("login",), views.AccountRow, self._accounts, empty=("color", "user_type", "bot", "badges")
            ),
            "roles": Kind(("channel", "login", "role"), ("channel", "login", "role"), views.RoleRow, self._roles),
            "followers": Kind(("channel", "login", "since"), ("channel", "login"), views.FollowRow, self._followers),
            "subscribers": Kind(
                ("channel", "login", "months", "tier", "active"),
                ("channel", "login"),
                views.SubscriptionRow,
                self._subscribers,
            ),
            "emotes": Kind(("code", "id", "channel"), ("code", "id"), views.EmoteRow, self._emotes),
        }

    async def take(self, lines: AsyncIterator[bytes], what: What, kind: str, done: Import) -> Imported:
        """Take many rows; what is refused is told with its line, the others are written.

        Args:
            lines: JSON objects, or CSV with a heading.
            kind: the content type; if it does not say, the first line does.

        Raises:
            InvalidRequest: the heading names a column that is none, or lacks one that is needed.
        """
        rules = self._kinds[what]
        reader = Reader(kind, rules.columns, rules.needed, rules.empty)
        waiting: list[Line] = []
        async for line in lines:
            try:
                given = reader.read(line)
                if given is None:
                    continue
                waiting.append((reader.number, checked(rules.row, given)))
            except InvalidHeading:
                raise
            except InvalidRequest as error:
                done.refuse(reader.number, str(error))
            if len(waiting) >= AT_ONCE:
                await rules.write(done, waiting)
                waiting = []
        if waiting:
            await rules.write(done, waiting)
        if done.written:
            told = f"{done.written} rows, {done.refused_count} refused"
            await self._people.audit(done.by, f"{what} import", "", details=told)
        done.refused.sort(key=lambda row: row.line)
        return Imported(imported=done.written, refused=tuple(done.refused), refused_count=done.refused_count)

    # the kinds --------------------------------------------------------------------------------

    async def _accounts(self, done: Import, lines: Sequence[Line]) -> None:
        named: list[tuple[int, str, views.AccountRow]] = []
        for number, row in lines:
            try:
                named.append((number, login_name(row.login), row))
            except InvalidRequest as error:
                done.refuse(number, str(error))
        known = await self._known([login for _, login, _ in named])
        new = {login: _new_account(self._people, login, row) for _, login, row in named if login not in known}
        await self._add(new.values(), known)
        changed: dict[str, Account] = {}
        for number, login, row in named:
            account = changed.get(login) or known.get(login)
            if account is None:
                done.refuse(number, f"user id {row.user_id} belongs to another login than {login}")
            elif row.user_id not in (None, account.user_id):
                done.refuse(number, f"{login} has the user id {account.user_id}, which stays")
            else:
                changed[login] = msgspec.structs.replace(account, **_facts(row))
                done.written += 1
        await self._store.set_accounts([account for login, account in changed.items() if account != known[login]])

    async def _roles(self, done: Import, lines: Sequence[Line]) -> None:
        now = self._people.clock.now()
        rows = []
        for channel, account, number, row in await self._of_channels(done, lines):
            if account.login == channel:
                done.refuse(number, f"{account.login} is the broadcaster of #{channel}")
                continue
            rows.append(
                Sanction(
                    id=f"first:{channel}:{account.user_id}",
                    channel=channel,
                    kind="unmod" if row.role == "none" else row.role,
                    target=account.user_id,
                    target_login=account.login,
                    by=done.by,
                    position=Position(0, 0),
                    time=now,
                )
            )
        await self._store.set_first_roles(rows)
        done.written += len(rows)

    async def _followers(self, done: Import, lines: Sequence[Line]) -> None:
        now = self._people.clock.now()
        rows = [
            Relation(channel, account.user_id, now if row.since is None else row.since)
            for channel, account, _, row in await self._of_channels(done, lines)
        ]
        await self._store.set_relations(rows, ["follow"])
        done.written += len(rows)

    async def _subscribers(self, done: Import, lines: Sequence[Line]) -> None:
        rows = [
            subscription(row, channel, account.user_id)
            for channel, account, _, row in await self._of_channels(done, lines)
        ]
        await self._store.set_relations(rows, ["subscription"])
        done.written += len(rows)

    async def _emotes(self, done: Import, lines: Sequence[Line]) -> None:
        emotes = []
        for number, row in lines:
            try:
                emotes.append(Emote(row.code, row.id, channel_name(row.channel) if row.channel else ""))
            except InvalidRequest as error:
                done.refuse(number, str(error))
        await self._store.set_emotes(emotes)
        done.written += len(emotes)

    # what they share --------------------------------------------------------------------------

    async def _of_channels(self, done: Import, lines: Sequence[Line]) -> list[tuple[str, Account, int, Any]]:
        """The rows whose channel and account there are, with these."""
        named = []
        for number, row in lines:
            try:
                named.append((channel_name(row.channel), login_name(row.login.removeprefix("@")), number, row))
            except InvalidRequest as error:
                done.refuse(number, str(error))
        known = await self._known([login for _, login, _, _ in named])
        if done.add:
            missing = {login: self._bare(login) for _, login, _, _ in named if login not in known}
            await self._add(missing.values(), known)
        found = []
        for channel, login, number, row in named:
            if login in known:
                found.append((channel, known[login], number, row))
            else:
                done.refuse(number, f"there is no account {login}: import accounts first, or add them on the way")
        return found

    def _bare(self, login: str) -> Account:
        return Account(self._people.user_id(login), login, login)

    async def _known(self, logins: Sequence[str]) -> dict[str, Account]:
        found = await self._store.owners(logins)
        return {account.login: account for account in found if account is not None}

    async def _add(self, new: Any, known: dict[str, Account]) -> None:
        """Add accounts; those that can be are then among `known`."""
        wanted = list(new)
        added = await self._store.add_accounts(wanted)
        known.update((account.login, account) for account in added if account is not None)


def _new_account(people: People, login: str, row: views.AccountRow) -> Account:
    return Account(row.user_id or people.user_id(login), login, row.display_name or login)


def _facts(row: views.AccountRow) -> dict[str, Any]:
    return row.model_dump(exclude_none=True, exclude={"login", "user_id"})


def router(importing: Importing, admin: Admin) -> APIRouter:
    """The route of imports."""
    routes = admin.router()

    @routes.post(
        "/import/{what}",
        tags=["people"],
        summary="Bring in accounts, roles, followers, subscribers or emotes",
        openapi_extra={
            "requestBody": {
                "content": {
                    kind: {"schema": {"type": "string", "description": "One a line; CSV begins with a heading."}}
                    for kind in ("application/jsonl", "text/csv")
                }
            }
        },
    )
    async def take(
        request: Request,
        what: Annotated[What, Path(description="What each row is.")],
        by: Annotated[Actor, Query(description="Who brings it.")] = "admin",
        add: Annotated[bool, Query(description="Add accounts that are not there.")] = False,
    ) -> Imported:
        """Take JSON lines or CSV; rows that are refused are told, the others are written (HTTP-import)."""
        kind = request.headers.get("content-type", "").lower()
        return await importing.take(lines_of(request.stream()), what, kind, Import(by, add))

    return routes
