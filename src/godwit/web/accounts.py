"""Accounts with their facts, one by one: added, shown, changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.exceptions import HTTPException

from godwit.clock import Clock
from godwit.errors import InvalidRequest
from godwit.store.base import AuditEntry, Store
from godwit.values import Account
from godwit.web import people_views, views
from godwit.web.admission import Admin
from godwit.web.names import login_name


def chosen_by_store(login: str) -> str:
    """No user id: the store is to choose one."""
    return ""


@dataclass(frozen=True, slots=True)
class People:
    """Accounts, as operators see to them.

    Attributes:
        user_id: the user id that an account is added with; '' lets the store choose.
    """

    store: Store
    clock: Clock
    user_id: Callable[[str], str] = chosen_by_store

    async def add(self, wanted: views.NewAccount) -> tuple[Account, bool]:
        """Add an account; also says whether it is new."""
        login = login_name(wanted.login)
        known = await self.store.account(login)
        if known is not None:
            return known, False
        account = Account(self.user_id(login), login, wanted.display_name or login, bot=wanted.bot)
        try:
            account = await self.store.add_account(account)
        except InvalidRequest:  # somebody else has been derived the same id
            account = await self.store.add_account(Account("", login, account.display_name, bot=account.bot))
        await self.audit(wanted.by, "account add", login, details=f"{wanted.bot} bot" if wanted.bot else "")
        return account, True

    async def find(self, login: str) -> Account:
        """An account.

        Raises:
            HTTPException: 404, there is none.
        """
        name = login_name(login.removeprefix("@"))
        account = await self.store.account(name)
        if account is None:
            raise HTTPException(404, f"there is no account {name}: add it first (godwit account add {name})")
        return account

    async def change(self, login: str, new: people_views.ChangedAccount) -> Account:
        """Change what `new` names and leave the rest."""
        account = await self.find(login)
        given = new.model_dump(exclude_none=True, exclude={"by", "reason"})
        changed = await self.store.set_account(account.login, **given)
        if changed is None:
            raise HTTPException(404, f"there is no account {account.login} any more")
        told = ", ".join(f"{key} {value!r}" for key, value in given.items())
        await self.audit(new.by, "account set", account.login, new.reason, told)
        return changed

    async def audit(self, actor: str, action: str, subject: str, reason: str = "", details: str = "") -> None:
        """Note in the audit who did what."""
        await self.store.audit(AuditEntry(self.clock.now(), actor, action, subject, reason, details[:1000]))


def router(people: People, admin: Admin) -> APIRouter:
    """The routes of one account."""
    routes = admin.router()

    @routes.get("/accounts/{login}", tags=["accounts"], summary="An account")
    async def show(login: str) -> views.AccountView:
        """All that is known of it."""
        return views.AccountView.of(await people.find(login))

    @routes.put("/accounts/{login}", tags=["accounts"], summary="Say what is known of an account")
    async def change(login: str, new: people_views.ChangedAccount) -> views.AccountView:
        """Change what is named and leave the rest; edges see it within a minute or two (HTTP-accounts)."""
        return views.AccountView.of(await people.change(login, new))

    return routes
