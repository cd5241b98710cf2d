"""Who may call what: the admin token, compared in constant time."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import APIRouter, Depends, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException
from starlette.types import Scope

_bearer = HTTPBearer(auto_error=False, description="The admin token, as the ready file tells it.")


def same(sent: str, expected: str) -> bool:
    """Compare secrets: how long it takes tells nothing of `expected`."""
    return secrets.compare_digest(sent.encode("utf-8", "surrogatepass"), expected.encode())


def bearer(header: str) -> str:
    """The token of an `Authorization` header, '' if it holds none."""
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


class Admin:
    """Lets only those pass who send the admin token."""

    def __init__(self, token: str) -> None:
        """Take the token.

        Raises:
            ValueError: it is empty.
        """
        if not token:
            raise ValueError("an empty admin token would let everybody in")
        self._token = token

    def __call__(self, sent: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]) -> None:
        """Serve as a dependency of a route.

        Raises:
            HTTPException: 401, saying what to send.
        """
        if sent is None or not same(sent.credentials, self._token):
            raise HTTPException(
                401,
                "send the header 'Authorization: Bearer TOKEN' with the admin token (admin_token of the ready file)",
                {"WWW-Authenticate": "Bearer"},
            )

    def sent_it(self, scope: Scope) -> bool:
        """Say whether a request carries the token; for those who look before any route does."""
        for name, value in scope["headers"]:
            if name == b"authorization":
                return same(bearer(value.decode("latin-1")), self._token)
        return False

    def router(self) -> APIRouter:
        """A router whose calls all need the token."""
        return APIRouter(dependencies=[Depends(self)])
