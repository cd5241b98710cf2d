"""What others say of somebody, made ours: claims of a token, or the answer of a webhook."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from godwit.values import Account, is_login

_USER_ID = re.compile(r"[A-Za-z0-9.:|@_-]{1,64}")


def account_of(login: object, user_id: object, display_name: object = None) -> Account | None:
    """The account that is meant; None if it cannot be.

    Args:
        login: put in lower case.
        user_id: text or a number; None: the store gives one.
    """
    if not isinstance(login, str) or not is_login(login.lower()):
        return None
    if user_id is None:
        number = ""
    elif isinstance(user_id, str | int) and not isinstance(user_id, bool) and _USER_ID.fullmatch(str(user_id)):
        number = str(user_id)
    else:
        return None
    name = display_name if isinstance(display_name, str) and display_name.lower() == login.lower() else ""
    return Account(number, login.lower(), name)


def scopes_of(told: object) -> frozenset[str]:
    """The scopes of a claim: words in a text, or a list of texts."""
    if isinstance(told, str):
        return frozenset(told.split())
    if isinstance(told, list):
        return frozenset(each for each in told if isinstance(each, str))
    return frozenset()


def claim(claims: Mapping[str, Any], name: str) -> object:
    """A claim by its name; dots go into objects, unless the whole name is there (some names are addresses)."""
    if name in claims:
        return claims[name]
    found: object = claims
    for part in name.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return None
        found = found[part]
    return found
