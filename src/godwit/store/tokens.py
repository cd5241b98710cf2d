"""How tokens are kept: as a hash, never as they are.

A token is drawn at random with far more bits than anyone can try, so a fast hash without salt is the
right one: nothing can be guessed from it, and a log-in costs one look-up by its value. A slow hash is
for what people make up themselves, such as passwords.
"""

from __future__ import annotations

import hashlib


def token_hash(token: str) -> str:
    """SHA-256 of a token (without `oauth:`), in hex."""
    return hashlib.sha256(token.encode()).hexdigest()


def token_id(digest: str) -> str:
    """The short name under which a token is listed and revoked: the first 64 bits of its hash."""
    return digest[:16]
