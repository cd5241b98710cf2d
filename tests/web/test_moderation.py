"""Moderation for operators, by HTTP: lists, and wishes for the controller (HTTP-bans, HTTP-roles, UN-2)."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec
import pytest

from godwit.rollout.values import Advance, Wish
from godwit.store.base import OVERDUE, AuditEntry, Sanction
from godwit.values import Emote, Position
from tests.web.conftest import World
from tests.web.test_directory import one_line_error


async def carried_out(world: World) -> None:
    """Whatever is wished for is done at once, as a controller does it."""
    lease = await world.store.lead("controller", "me", now=0.0, until=10.0**9)
    add = world.store.add_wish

    async def do(wish: Wish) -> Wish:
        recorded = await add(wish)
        done = msgspec.structs.replace(recorded, state="done", answer="so it is")
        await world.store.advance(Advance(0.0, wishes=(done,)), term=lease.term)
        return recorded

    world.store.add_wish = do  # type: ignore[method-assign]


async def wished(world: World) -> tuple[str, str, str, dict[str, Any]]:
    """The last wish: verb, by, reason, args."""
    wish = (await world.store.wishes())[0]
    return wish.verb, wish.by, wish.reason, wish.args


def row(name: str, kind: str, target: str = "7", login: str = "ann", **more: Any) -> Sanction:
    return Sanction(name, "room", kind, target, login, "mona", **more)  # type: ignore[arg-type]


@pytest.mark.row("HTTP-bans")
async def test_bans(world: World, http: httpx.AsyncClient) -> None:
    """HTTP-bans: the newest act on each account counts, timeouts as long as they last."""
    now = world.clock.now()
    for number, sanction in enumerate(
        [
            row("1", "ban", "1", "old"),
            row("2", "lift", "1", "old"),
            row("3", "ban", "2", "zoe", reason="spam"),
            row("4", "timeout", "3", "tim", seconds=600),
            row("5", "timeout", "4", "over", seconds=5),
            row("6", "mod", "2", "zoe"),
        ]
    ):
        await world.store.add_sanction(sanction)
        await world.store.place_sanction(sanction.id, Position(1, number), now - 60)
    await world.store.add_sanction(row("7", "ban", "5", "new", time=now))
    await world.store.add_sanction(row("8", "lift", "2", "zoe", time=now - OVERDUE))  # which came to nothing
    found = (await http.get("/channels/%23Room/bans")).json()["bans"]
    assert found == [
        {
            "login": "new", "user_id": "5", "kind": "ban", "by": "mona", "reason": "",
            "since": now, "until": 0.0, "confirmed": False,
        },
        {
            "login": "tim", "user_id": "3", "kind": "timeout", "by": "mona", "reason": "",
            "since": now - 60, "until": now + 540, "confirmed": True,
        },
        {
            "login": "zoe", "user_id": "2", "kind": "ban", "by": "mona", "reason": "spam",
            "since": now - 60, "until": 0.0, "confirmed": True,
        },
    ]  # fmt: skip
    assert (await http.get("/channels/room/bans?after=new&limit=1")).json()["bans"] == [found[1]]
    assert (await http.get("/channels/other/bans")).json() == {"bans": []}


@pytest.mark.row("HTTP-roles")
async def test_roles(world: World, http: httpx.AsyncClient) -> None:
    """HTTP-roles: who has one, where from, since when."""
    await world.store.set_first_roles([row("1", "mod", "1", "bob", time=5.0), row("2", "vip", "2", "ann", time=5.0)])
    now = world.clock.now()
    await world.store.add_sanction(row("3", "unvip", "2", "ann", time=now))
    await world.store.add_sanction(row("4", "vip", "3", "zoe", time=now))
    await world.store.add_sanction(row("5", "mod", "4", "eve", time=now - OVERDUE))  # which came to nothing
    found = (await http.get("/channels/room/roles")).json()["roles"]
    shape = {"by": "mona"}
    assert found == [
        shape | {"login": "bob", "user_id": "1", "role": "mod", "since": 5.0, "first": True, "confirmed": True},
        shape | {"login": "zoe", "user_id": "3", "role": "vip", "since": now, "first": False, "confirmed": False},
    ]
    assert (await http.get("/channels/room/roles?after=bob")).json()["roles"] == found[1:]


@pytest.mark.row("HTTP-bans")
@pytest.mark.parametrize(
    ("method", "path", "body", "args"),
    [
        ("POST", "bans", {"login": "@Alice"}, {"kind": "ban"}),
        ("POST", "bans", {"login": "alice", "seconds": 600}, {"kind": "timeout", "seconds": 600}),
        ("DELETE", "bans/alice", None, {"kind": "lift"}),
        ("PUT", "roles/alice", {"role": "mod"}, {"kind": "mod"}),
        ("PUT", "roles/alice", {"role": "vip"}, {"kind": "vip"}),
        ("DELETE", "roles/alice", None, {"kind": "unmod"}),
    ],
)
async def test_acts_are_wishes(
    world: World, http: httpx.AsyncClient, method: str, path: str, body: dict[str, Any] | None, args: dict[str, Any]
) -> None:
    """HTTP-bans, HTTP-roles: recorded with name and reason, answered when they are done."""
    await carried_out(world)
    about = {"by": "carol", "reason": "so"}
    if body is None:
        response = await http.request(method, f"/channels/%23Room/{path}", params=about)
    else:
        response = await http.request(method, f"/channels/%23Room/{path}", json=body | about)
    assert response.status_code == 200
    told = response.json()
    assert (told["state"], told["answer"], told["by"]) == ("done", "so it is", "carol")
    assert await wished(world) == ("act", "carol", "so", {"channel": "room", "login": "alice"} | args)
    (line,) = await world.store.audit_log()
    assert (line.actor, line.action, line.subject, line.reason) == ("carol", args["kind"], "room", "so")
    assert line.details.startswith("alice 600, wish " if "seconds" in args else "alice, wish ")


@pytest.mark.row("HTTP-roles")
async def test_the_role_that_is_there_is_taken(world: World, http: httpx.AsyncClient) -> None:
    """HTTP-roles: a VIP is no VIP any more."""
    await carried_out(world)
    await world.store.add_sanction(row("1", "vip", "42", "alice", time=world.clock.now()))
    await http.delete("/channels/room/roles/alice")
    assert (await wished(world))[3]["kind"] == "unvip"


@pytest.mark.row("UN-2")
async def test_usernotice(world: World, http: httpx.AsyncClient) -> None:
    """UN-2: words and tags are filled in, emotes are found."""
    await carried_out(world)
    await world.store.set_emotes([Emote("hi", "77"), Emote("yo", "88_HF", "room"), Emote("yo", "5", "other")])
    new = {
        "kind": "resub", "login": "alice", "text": "Kappa hi yo", "params": {"cumulative-months": "14"}, "by": "carol",
    }  # fmt: skip
    assert (await http.post("/channels/room/usernotices", json=new)).status_code == 200
    verb, by, _, args = await wished(world)
    assert (verb, by) == ("usernotice", "carol")
    assert args.pop("params").items() >= {"cumulative-months": "14", "sub-plan": "1000", "months": "0"}.items()
    assert args == {
        "channel": "room",
        "kind": "resub",
        "login": "alice",
        "text": "Kappa hi yo",
        "emotes": "25:0-4/77:6-7/88_HF:9-10",
        "system_msg": "Alice subscribed at Tier 1. They've subscribed for 14 months!",
    }
    await http.post("/channels/room/usernotices", json={"kind": "sub", "login": "alice", "system_msg": "Hooray"})
    assert (await wished(world))[3]["system_msg"] == "Hooray"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/channels/room/bans", {"login": "nobody"}, 404),
        ("POST", "/channels/no room/bans", {"login": "alice"}, 400),
        ("POST", "/channels/room/bans", {"login": "alice", "seconds": 0}, 400),
        ("POST", "/channels/room/bans", {}, 400),
        ("PUT", "/channels/room/roles/alice", {"role": "king"}, 400),
        ("PUT", "/channels/room/roles/nobody", {"role": "mod"}, 404),
        ("POST", "/channels/room/usernotices", {"kind": "Sub", "login": "alice"}, 400),
        ("POST", "/channels/room/usernotices", {"kind": "sub", "login": "nobody"}, 404),
        ("POST", "/channels/room/usernotices", {"kind": "sub", "login": "alice", "params": {"a=b": "c"}}, 400),
        ("POST", "/channels/room/usernotices", {"kind": "sub", "login": "alice", "text": "a\nb"}, 400),
    ],
)
async def test_refused(
    world: World, http: httpx.AsyncClient, method: str, path: str, body: dict[str, Any], status: int
) -> None:
    """One line, and nothing is wished for."""
    response = await http.request(method, path, json=body)
    assert response.status_code == status
    one_line_error(response)
    assert not await world.store.wishes()


@pytest.mark.row("HTTP-audit")
async def test_the_audit_is_searched(world: World, http: httpx.AsyncClient) -> None:
    """HTTP-audit: by subject, actor, action and time, in pages."""
    for number in range(6):
        await world.store.audit(AuditEntry(float(number), f"actor{number % 2}", f"do{number % 3}", "room", "so"))

    async def numbers(**query: Any) -> list[int]:
        found = (await http.get("/audit", params=query)).json()["entries"]
        return [entry["number"] for entry in found]

    assert await numbers() == [6, 5, 4, 3, 2, 1]
    assert await numbers(actor="actor1", action="do2") == [6]
    assert await numbers(subject="other") == []
    assert await numbers(since=3) == [6, 5, 4]
    assert await numbers(limit=2) == [6, 5]
    assert await numbers(limit=2, before=5) == [4, 3]
    assert (await http.get("/audit?since=inf")).status_code == 400
