"""Signed tokens (JWT) of an identity provider, checked with its public keys (AUTH-3)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import jwt
import structlog

from godwit.clock import Clock
from godwit.edge.auth.base import Grant
from godwit.edge.auth.claims import account_of, claim, scopes_of
from godwit.edge.auth.own import Tokens, enrolled
from godwit.errors import IdentityUnavailable, InvalidSetting
from godwit.settings import AuthSettings
from godwit.store.base import Store

log = structlog.get_logger()

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""All of them need a private key to sign: nobody can sign with what the key set tells."""

REST = 10.0
"""Seconds between two looks for a key that is not known: anybody may name one that does not exist."""

TIMEOUT = 5.0
"""Seconds that the provider is given for its key set."""

LEEWAY = 5.0
"""Seconds by which the provider's clock may be ahead of ours."""


class KeySet:
    """The provider's public keys, from a file or a URL.

    Args:
        source: where they are.
        refresh: seconds after which they are read anew.
        http: how a URL is asked; None for a file.
    """

    def __init__(self, source: str, refresh: float, clock: Clock, http: httpx.AsyncClient | None = None) -> None:
        self._source = source
        self._refresh = refresh
        self._clock = clock
        self._http = http
        self._keys: dict[str, jwt.PyJWK] = {}
        self._looked_at = float("-inf")
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()

    async def load(self) -> None:
        """Read the keys.

        Raises:
            IdentityUnavailable: they cannot be had, or cannot be read.
        """
        self._looked_at = self._clock.now()
        try:
            text = await self._text()
            keys = {key.key_id or "": key for key in jwt.PyJWKSet.from_json(text).keys if _signs(key)}
        except (OSError, httpx.HTTPError, jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError) as error:
            # The last four are what the library makes of JSON of another shape.
            raise IdentityUnavailable(f"auth.jwks cannot be read: {error!r}") from error
        if not keys:
            raise IdentityUnavailable("auth.jwks has no key that tokens may be signed with")
        self._keys, self._read_at = keys, self._clock.now()

    async def key(self, key_id: str | None) -> jwt.PyJWK | None:
        """The key of that id; without one, the only key. Keys that cannot be read anew go on being used.

        Raises:
            IdentityUnavailable: there are no keys at all.
        """
        async with self._reading:
            now = self._clock.now()
            is_old = now - self._read_at >= self._refresh
            if (is_old or self._find(key_id) is None) and (now - self._looked_at >= REST or not self._keys):
                try:
                    await self.load()
                except IdentityUnavailable as error:
                    if not self._keys:
                        raise
                    log.warning("keys_not_read", error=str(error))
        return self._find(key_id)

    def _find(self, key_id: str | None) -> jwt.PyJWK | None:
        if key_id is None:
            return next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return self._keys.get(key_id)

    async def _text(self) -> str:
        if self._http is None:
            return await asyncio.to_thread(Path(self._source).read_text, "utf-8")
        answer = await self._http.get(self._source, timeout=TIMEOUT)
        return answer.raise_for_status().text


def _signs(key: jwt.PyJWK) -> bool:
    return key.algorithm_name in ALGORITHMS and key.public_key_use in (None, "sig")


class Signed:
    """Tokens that a provider has signed; those of the store are valid, too."""

    def __init__(self, settings: AuthSettings, store: Store, clock: Clock) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._own = Tokens(store)
        self._http = httpx.AsyncClient() if settings.jwks.startswith(("http://", "https://")) else None
        self._keys = KeySet(settings.jwks, settings.jwks_refresh, clock, self._http)

    async def open(self) -> None:
        """Read the keys; if a provider does not answer now, it may when somebody logs in."""
        try:
            await self._keys.load()
        except IdentityUnavailable as error:
            if self._http is None:
                raise InvalidSetting(str(error)) from error
            log.warning("keys_not_read", error=str(error))

    async def close(self) -> None:
        """Close connections."""
        await self._own.close()
        if self._http is not None:
            await self._http.aclose()

    async def check(self, nick: str, token: str) -> Grant | None:
        """Check signature, audience, issuer and times, and take the account from the claims."""
        if "." not in token:
            return await self._own.check(nick, token)
        claims = await self._claims(token)
        if claims is None:
            return None
        settings = self._settings
        user_id = claim(claims, settings.user_id_claim) if settings.user_id_claim else None
        if settings.user_id_claim and user_id is None:
            return None
        told = account_of(claim(claims, settings.login_claim), user_id)
        if told is None or told.login != nick:
            return None
        account = await enrolled(self._store, told)
        if account is None or await self._is_void(account.user_id, claims):
            return None
        scopes = scopes_of(claim(claims, settings.scopes_claim)) if settings.scopes_claim else None
        return Grant(account, scopes, expires=float(claims["exp"]))

    def forget(self, user_id: str) -> None:
        """Nothing is kept of accounts."""

    async def _claims(self, token: str) -> dict[str, Any] | None:
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            return None
        key = await self._keys.key(header.get("kid"))
        if key is None:
            return None
        now = self._clock.now()
        try:
            found = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                audience=self._settings.audience,
                issuer=self._settings.issuer or None,
                options={"require": ["exp", "aud"], "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
            # Times are compared here, by the clock that everything else goes by.
            good = float(found["exp"]) > now and float(found.get("nbf", 0.0)) <= now + LEEWAY
        except (jwt.PyJWTError, TypeError, ValueError) as error:
            log.debug("token_refused", reason=repr(error))
            return None
        return found if good else None

    async def _is_void(self, user_id: str, claims: dict[str, Any]) -> bool:
        void = await self._store.void_before(user_id)
        if not void:
            return False
        issued = claims.get("iat")
        return not isinstance(issued, int | float) or issued <= void
