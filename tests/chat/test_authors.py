"""What is shown of an account in a channel (BADGE-1, BADGE-2)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from godwit.chat.authors import author, is_exempt
from godwit.chat.room import Role
from godwit.values import Account, Author, Relation

ANN = Account("7", "ann", "Ann", "#FF0000")


def of(account: Account = ANN, *, owner: bool = False, role: Role = "", **ties: Any) -> Author:
    return author(account, owner=owner, role=role, relation=Relation("room", "7", **ties) if ties else None)


def test_nothing_special() -> None:
    assert of() == Author("7", "ann", "Ann", "#FF0000")
    assert of(follows_since=5.0) == Author("7", "ann", "Ann", "#FF0000")


@pytest.mark.row("BADGE-1", "BADGE-2")
def test_roles() -> None:
    mod, vip, owner = of(role="mod"), of(role="vip"), of(owner=True, role="mod")
    assert (mod.badges, mod.mod, mod.vip, mod.user_type) == (("moderator/1",), True, False, "mod")
    assert (vip.badges, vip.mod, vip.vip, vip.user_type) == (("vip/1",), False, True, "")
    assert (owner.badges, owner.mod, owner.vip, owner.user_type) == (("broadcaster/1",), False, False, "")


@pytest.mark.row("BADGE-1")
@pytest.mark.parametrize(
    ("months", "tier", "badge"),
    [
        (0, "1000", "subscriber/0"), (1, "1000", "subscriber/0"), (2, "1000", "subscriber/2"),
        (5, "prime", "subscriber/3"), (8, "2000", "subscriber/2006"), (12, "3000", "subscriber/3012"),
        (29, "1000", "subscriber/24"), (30, "", "subscriber/30"), (1000, "1000", "subscriber/240"),
    ],
)  # fmt: skip
def test_subscribers(months: int, tier: str, badge: str) -> None:
    found = of(subscriber=True, months=months, tier=tier)
    assert found.badges == (badge,)
    assert found.badge_info == (f"subscriber/{max(months, 1)}",)
    assert found.subscriber


def test_who_was_a_subscriber_is_none() -> None:
    found = of(subscriber=False, months=9, tier="1000")
    assert (found.badges, found.badge_info, found.subscriber) == ((), (), False)


@pytest.mark.row("BADGE-1", "BADGE-2")
def test_all_in_order() -> None:
    account = msgspec.structs.replace(ANN, user_type="staff", badges=("partner/1", "turbo/1"), bot="verified")
    found = of(account, role="mod", subscriber=True, months=3, tier="1000")
    assert found.badges == ("moderator/1", "subscriber/3", "staff/1", "partner/1", "turbo/1", "bot-badge/1")
    assert (found.mod, found.turbo, found.user_type) == (True, True, "staff")


def test_no_badge_twice() -> None:
    account = msgspec.structs.replace(ANN, user_type="admin", badges=("admin/1", "glhf/1"))
    assert of(account).badges == ("admin/1", "glhf/1")


@pytest.mark.row("SAY-exempt")
def test_who_is_exempt() -> None:
    staff = of(msgspec.structs.replace(ANN, user_type="global_mod"))
    assert [is_exempt(each, owner=False) for each in (of(), of(role="mod"), of(role="vip"), staff)] == [
        False, True, True, True,
    ]  # fmt: skip
    assert is_exempt(of(owner=True), owner=True)
    assert not is_exempt(of(subscriber=True, months=3), owner=False)
