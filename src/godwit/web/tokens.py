"""Tokens of accounts, listed and revoked; their connections end within seconds (AUTH-7, HTTP-tokens)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path
from starlette.exceptions import HTTPException
from starlette.responses import Response

from godwit.clock import Clock
from godwit.store.base import AuditEntry, Token
from godwit.store.rollout_base import RolloutStore
from godwit.values import Account
from godwit.web import views
from godwit.web.admission import Admin
from godwit.web.names import login_name

_Login = Annotated[str, Path(description="The account's login.")]


class TokenRow(views.View):
    """A token as it is listed; the token itself is known to its owner alone.

    Attributes:
        created: seconds since the Unix epoch.
    """

    id: str
    scopes: tuple[str, ...]
    created: float
    revoked: bool

    @classmethod
    def of(cls, row: Token) -> TokenRow:
        """Show a token's row."""
        return cls(id=row.id, scopes=row.scopes, created=row.created, revoked=row.revoked)


class TokenRows(views.View):
    """The tokens of an account, the oldest first."""

    login: str
    tokens: tuple[TokenRow, ...]


class Ended(views.Given):
    """Who ends all that lets an account in, and why."""

    by: views.Actor = "admin"
    reason: views.Text = ""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What operators can do with tokens."""

    store: RolloutStore
    clock: Clock

    async def account(self, login: str) -> Account:
        """The account of a login.

        Raises:
            HTTPException: there is none.
        """
        name = login_name(login)
        account = await self.store.account(name)
        if account is None:
            raise HTTPException(404, f"there is no account {name}")
        return account

    async def revoke(self, login: str, token_id: str, by: str) -> None:
        """Revoke one token of an account.

        Raises:
            HTTPException: it has no such token, or it is revoked already.
        """
        account = await self.account(login)
        known = {token.id for token in await self.store.tokens(account.login) if not token.revoked}
        if token_id not in known or not await self.store.revoke_token(token_id):
            raise HTTPException(
                404, f"{account.login} has no valid token {token_id}: godwit account tokens {account.login} lists them"
            )
        await self._audit(by, "account revoke", account.login, details=f"token {token_id}")

    async def end(self, login: str, given: Ended) -> None:
        """Revoke all tokens of an account, and make void what an identity provider has issued for it so far."""
        account, now = await self.account(login), self.clock.now()
        await self.store.end_account(account.user_id, now)
        await self._audit(given.by, "account end", account.login, reason=given.reason)

    async def _audit(self, by: str, action: str, login: str, *, reason: str = "", details: str = "") -> None:
        await self.store.audit(AuditEntry(self.clock.now(), by, action, login, reason, details))


def router(tokens: Tokens, admin: Admin) -> APIRouter:
    """The routes, closed to everybody who does not send the admin token."""
    routes = admin.router()

    @routes.get("/accounts/{login}/tokens", tags=["accounts"], summary="The tokens of an account")
    async def listed(login: _Login) -> TokenRows:
        """Ids, scopes and whether they are revoked."""
        account = await tokens.account(login)
        rows = await tokens.store.tokens(account.login)
        return TokenRows(login=account.login, tokens=tuple(map(TokenRow.of, rows)))

    @routes.delete("/accounts/{login}/tokens/{token_id}", status_code=204, tags=["accounts"], summary="Revoke a token")
    async def revoke(login: _Login, token_id: str, by: views.Actor = "admin") -> Response:
        """Revoke a token; connections that logged in with it end within 5 s."""
        await tokens.revoke(login, token_id, by)
        return Response(status_code=204)

    @routes.post("/accounts/{login}/end", status_code=204, tags=["accounts"], summary="End all that lets an account in")
    async def end(login: _Login, given: Ended | None = None) -> Response:
        """Revoke all its tokens; all its connections end within 5 s. A new token, or a newer JWT, lets it in again."""
        await tokens.end(login, given or Ended())
        return Response(status_code=204)

    return routes
