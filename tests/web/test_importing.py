"""Imports of accounts, roles, followers, subscribers and emotes (HTTP-import)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from godwit.store.base import Sanction
from godwit.values import Account, Emote, Position, Relation, derived_id
from godwit.web import importing
from tests.web.conftest import World
from tests.web.test_directory import one_line_error

pytestmark = pytest.mark.row("HTTP-import")


async def bring(http: httpx.AsyncClient, what: str, text: str, query: str = "") -> dict[str, Any]:
    """Import."""
    response = await http.post(f"/import/{what}{query}", content=text.encode())
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def refused(found: dict[str, Any]) -> dict[int, str]:
    """Line -> why."""
    assert found["refused_count"] == len(found["refused"])
    return {row["line"]: row["error"] for row in found["refused"]}


async def test_accounts(world: World, http: httpx.AsyncClient) -> None:
    """New ones are added, known ones changed where a row says something; refused rows say why."""
    text = (
        "login,user_id,display_name,color,bot,badges,suspended\n"
        'Bob,77,Bob B,#010203,known,"partner/1,turbo/1",true\n'
        "alice,,,#FF0000,,,\n"
        "carol,77,,,,,\n"
        "alice,43,,,,,\n"
        "no login,,,,,,\n"
        "dan,,,red,,,\n"
        "justinfan5,,,,,,\n"
        "eve,,,,,,\n"
        "eve,,Eve,,,,\n"
        "short\n"
    )
    found = await bring(http, "accounts", text, "?by=carol")
    assert found["imported"] == 4
    why = refused(found)
    assert why.keys() == {4, 5, 6, 7, 8, 11}
    assert why[4] == "user id 77 belongs to another login than carol"
    assert why[5] == "alice has the user id 42, which stays"
    assert why[7].startswith("color: ")
    assert why[11] == "1 cells, the heading has 7"
    store = world.store
    badges = ("partner/1", "turbo/1")
    assert await store.account("bob") == Account("77", "bob", "Bob B", "#010203", "", "known", badges, True)
    assert await store.account("alice") == Account("42", "alice", "Alice", "#FF0000")
    assert await store.account("eve") == Account("78", "eve", "Eve")
    assert await store.account("carol") is None
    (line,) = await store.audit_log()
    assert (line.actor, line.action, line.details) == ("carol", "accounts import", "4 rows, 6 refused")


async def test_accounts_as_json(world: World, http: httpx.AsyncClient) -> None:
    found = await bring(
        http,
        "accounts",
        '{"login": "bob", "badges": ["staff/1"], "user_type": "staff"}\n\n{"login": "x", "colour": 1}\n{"a": 1}\n[]\n',
    )
    assert found["imported"] == 1
    assert refused(found).keys() == {3, 4, 5}
    bob = await world.store.account("bob")
    assert bob
    assert (bob.badges, bob.user_type) == (("staff/1",), "staff")


async def test_an_empty_cell_takes_a_fact_back(world: World, http: httpx.AsyncClient) -> None:
    """Where the column can be empty; a name stays."""
    await world.store.set_account("alice", color="#FF0000", badges=("turbo/1",), bot="known")
    await bring(http, "accounts", "login,color,badges,bot,display_name\nalice,,,,\n")
    assert await world.store.account("alice") == Account("42", "alice", "Alice")


async def test_derived_user_ids(world: World) -> None:
    """Accounts get the ids that they would get when they log in."""
    world.more["user_id"] = derived_id
    async with world.client() as http:
        await bring(http, "accounts", "login\nbob\n")
        await bring(http, "followers", "channel,login\nroom,carol\n", "?add=true")
    for login in ("bob", "carol"):
        account = await world.store.account(login)
        assert account
        assert account.user_id == derived_id(login)


async def test_roles(world: World, http: httpx.AsyncClient) -> None:
    """They count from the beginning; one that comes again takes the place of the first."""
    await world.store.add_account(Account("50", "bob"))
    text = "channel,login,role\n#Room,alice,mod\nroom,bob,vip\nalice,alice,mod\nroom,nobody,mod\nroom,bob,king\n"
    found = await bring(http, "roles", text, "?by=carol")
    assert found["imported"] == 2
    assert refused(found).keys() == {4, 5, 6}
    assert refused(found)[4] == "alice is the broadcaster of #alice"
    assert refused(found)[5].startswith("there is no account nobody")
    first = Sanction(
        "first:room:42", "room", "mod", "42", "alice", "carol", position=Position(0, 0), time=world.clock.now()
    )
    assert [row for row in await world.store.sanctions("room") if row.target == "42"] == [first]
    await bring(http, "roles", '{"channel": "room", "login": "bob", "role": "none"}\n')
    assert {row.target: row.kind for row in await world.store.sanctions("room")} == {"42": "mod", "50": "unmod"}


async def test_followers(world: World, http: httpx.AsyncClient) -> None:
    """Since a time, or from now on; the subscription stays."""
    await world.store.set_relations([Relation("room", "42", 0.0, True, 3, "1000")], ["subscription"])
    text = "channel,login,since\nroom,alice,2024-01-31T18:00:00Z\nother,@Alice,\nroom,alice,never\nroom,bob,5\n"
    found = await bring(http, "followers", text)
    assert found["imported"] == 2
    assert refused(found).keys() == {4, 5}
    assert await world.store.relations([("room", "42"), ("other", "42")]) == [
        Relation("room", "42", 1706724000.0, True, 3, "1000"),
        Relation("other", "42", world.clock.now()),
    ]


async def test_subscribers(world: World, http: httpx.AsyncClient) -> None:
    """One month of the first tier, unless it is said; accounts may be added on the way."""
    text = "channel,login,months,tier\nroom,alice,14,prime\nroom,bob,,\nroom,no login,1,1000\n"
    found = await bring(http, "subscribers", text, "?add=1")
    assert found["imported"] == 2
    assert refused(found).keys() == {4}
    bob = await world.store.account("bob")
    assert bob
    assert await world.store.relations([("room", "42"), ("room", bob.user_id)]) == [
        Relation("room", "42", 0.0, True, 14, "prime"),
        Relation("room", bob.user_id, 0.0, True, 1, "1000"),
    ]


async def test_emotes(world: World, http: httpx.AsyncClient) -> None:
    found = await bring(http, "emotes", "code,id,channel\n:3,5,\nhi,6_HF,#Room\nhi,6,no room\nhi,a/b,\n")
    assert found["imported"] == 2
    assert refused(found).keys() == {4, 5}
    assert await world.store.emotes() == [Emote(":3", "5")]
    assert await world.store.emotes("room") == [Emote("hi", "6_HF", "room")]


async def test_many(world: World, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """In portions; refused rows are told in the order of their lines, the first of them."""
    monkeypatch.setattr(importing, "AT_ONCE", 10)
    monkeypatch.setattr(importing, "TOLD", 4)
    rows = "".join(f"user{number},\n" if number % 10 else f"bad user,{number}\n" for number in range(1, 101))
    found = await bring(http, "accounts", "login,user_id\n" + rows)
    assert (found["imported"], found["refused_count"]) == (90, 10)
    assert [row["line"] for row in found["refused"]] == [11, 21, 31, 41]
    assert len(await world.store.accounts()) == 91


@pytest.mark.parametrize(
    ("what", "text", "status"),
    [
        ("accounts", "login,colour\na,b\n", 400),
        ("roles", "channel,login\na,b\n", 400),
        ("followers", "channel,login,login\na,b,b\n", 400),
        ("emotes", '"a\n', 400),
        ("people", "login\na\n", 400),
    ],
)
async def test_refused_whole(world: World, http: httpx.AsyncClient, what: str, text: str, status: int) -> None:
    """A file of which nobody can tell the columns."""
    response = await http.post(f"/import/{what}", content=text.encode())
    assert response.status_code == status
    one_line_error(response)
    assert not await world.store.audit_log()


async def test_nothing_to_bring(world: World, http: httpx.AsyncClient) -> None:
    assert await bring(http, "accounts", "") == {"imported": 0, "refused": [], "refused_count": 0}
    assert not await world.store.audit_log()
