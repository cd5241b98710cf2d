"""What a USERNOTICE says in words, and which tags clients look for, for the kinds that are known (UN-2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

Params = Mapping[str, str]

_TIERS = {"1000": "Tier 1", "2000": "Tier 2", "3000": "Tier 3"}
_SUB = {"sub-plan": "1000", "sub-plan-name": "", "months": "0"}

DEFAULTS: dict[str, Params] = {
    "sub": _SUB | {"cumulative-months": "1", "should-share-streak": "0"},
    "resub": _SUB | {"cumulative-months": "2", "should-share-streak": "0"},
    "subgift": _SUB | {"months": "1", "gift-months": "1", "sender-count": "0"},
    "submysterygift": {"mass-gift-count": "1", "sender-count": "0", "sub-plan": "1000"},
    "giftpaidupgrade": {"sender-login": "", "sender-name": ""},
    "primepaidupgrade": {"sub-plan": "1000"},
    "raid": {"viewerCount": "0"},
    "ritual": {"ritual-name": "new_chatter"},
    "bitsbadgetier": {"threshold": "1000"},
    "announcement": {"color": "PRIMARY"},
}
"""Kind -> the tags that it has at least, with what they say if nobody says otherwise."""


def complete(kind: str, login: str, name: str, channel: str, given: Params) -> tuple[dict[str, str], str]:
    """The tags of a USERNOTICE, without `msg-param-`, and its words; '' for a kind that has none.

    Args:
        login, name: whom it is about, as they log in and as they are shown.
        given: tags that the operator gave.
    """
    params = {**DEFAULTS.get(kind, {}), **given}
    if kind == "raid":
        params = {"displayName": name, "login": login, **params}
    words = _WORDS.get(kind)
    return params, words(name, channel, params) if words else ""


def _plan(params: Params) -> str:
    plan = params["sub-plan"]
    return "with Prime" if plan.lower() == "prime" else f"at {_TIERS.get(plan, plan)}"


def _tier(params: Params) -> str:
    return _TIERS.get(params["sub-plan"], params["sub-plan"])


def _sub(name: str, channel: str, params: Params) -> str:
    return f"{name} subscribed {_plan(params)}."


def _resub(name: str, channel: str, params: Params) -> str:
    streak = params.get("streak-months", "")
    if params.get("should-share-streak") != "1" or not streak:
        return f"{name} subscribed {_plan(params)}. They've subscribed for {params['cumulative-months']} months!"
    return (
        f"{name} subscribed {_plan(params)}. They've subscribed for {params['cumulative-months']} months, "
        f"currently on a {streak} month streak!"
    )


def _subgift(name: str, channel: str, params: Params) -> str:
    to = params.get("recipient-display-name") or params.get("recipient-user-name") or "somebody"
    text = f"{name} gifted a {_tier(params)} sub to {to}!"
    if params["sender-count"] not in ("", "0"):
        text += f" They have given {params['sender-count']} Gift Subs in the channel!"
    return text


def _mystery(name: str, channel: str, params: Params) -> str:
    text = f"{name} is gifting {params['mass-gift-count']} {_tier(params)} Subs to {channel}'s community!"
    if params["sender-count"] not in ("", "0"):
        text += f" They've gifted a total of {params['sender-count']} in the channel!"
    return text


def _upgrade(name: str, channel: str, params: Params) -> str:
    sender = params["sender-name"] or params["sender-login"] or "an anonymous user"
    return f"{name} is continuing the Gift Sub they got from {sender}!"


_WORDS: dict[str, Callable[[str, str, Params], str]] = {
    "sub": _sub,
    "resub": _resub,
    "subgift": _subgift,
    "submysterygift": _mystery,
    "giftpaidupgrade": _upgrade,
    "anongiftpaidupgrade": lambda name, channel, params: (
        f"{name} is continuing the Gift Sub they got from an anonymous user!"
    ),
    "primepaidupgrade": lambda name, channel, params: f"{name} converted from a Prime sub to a {_tier(params)} sub!",
    "raid": lambda name, channel, params: f"{params['viewerCount']} raiders from {name} have joined!",
    "unraid": lambda name, channel, params: "The raid has been cancelled.",
    "ritual": lambda name, channel, params: f"{name} is new here. Say hello!",
    "bitsbadgetier": lambda name, channel, params: "bits badge tier notification",
}
