"""An identity provider for tests: it signs tokens and tells its keys."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from jwt.algorithms import ECAlgorithm

AUDIENCE = "godwit"
ISSUER = "https://id.example.net/"


@cache
def key(name: str) -> EllipticCurvePrivateKey:
    """The private key of that name."""
    return generate_private_key(SECP256R1())


def key_set(*names: str, **more: Any) -> str:
    """What the provider tells of its keys, by their ids."""
    keys = [
        json.loads(ECAlgorithm.to_jwk(key(name).public_key())) | {"kid": name, "alg": "ES256", "use": "sig"}
        for name in names
    ]
    return json.dumps({"keys": keys} | more)


def signed(claims: dict[str, Any], by: str = "one", key_id: str | None = "", algorithm: str = "ES256") -> str:
    """A token.

    Args:
        by: the key's name.
        key_id: what it says that the key is called; by default its name, None for nothing.
    """
    headers = {} if key_id is None else {"kid": key_id or by}
    return jwt.encode(claims, key(by), algorithm, headers=headers)


def claims(now: float, **changed: Any) -> dict[str, Any]:
    """Claims that let ann in for an hour; those that are None are left out."""
    found = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "7",
        "preferred_username": "Ann",
        "scope": "openid chat:read chat:edit",
        "iat": int(now),
        "exp": int(now) + 3600,
    } | changed
    return {name: value for name, value in found.items() if value is not None}
