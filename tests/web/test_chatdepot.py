"""Group rooms and who is in them (HTTP-chatdepot)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from godwit.errors import IdentityUnavailable
from godwit.store.base import Sanction
from godwit.store.group_base import Membership
from godwit.values import Account, Position
from godwit.web import chatdepot
from tests.web.conftest import World

pytestmark = pytest.mark.row("HTTP-chatdepot")

ANN, BOB, CID = "1", "2", "3"


class Depot:
    """The service, called by people who have tokens."""

    def __init__(self, http: httpx.AsyncClient, world: World) -> None:
        self.http = http
        self.world = world

    async def call(self, method: str, path: str, who: str = "ann", **fields: str) -> httpx.Response:
        """A request as clients of 2016 made it: the token in the address, the rest in a form."""
        return await self.http.request(method, f"{path}?oauth_token=token-of-{who}", data=fields)

    async def good(self, method: str, path: str, who: str = "ann", **fields: str) -> Any:
        """One that must succeed; its answer."""
        response = await self.call(method, path, who, **fields)
        assert response.is_success, response.text
        return response.json() if response.content else None

    async def room(self, **fields: str) -> str:
        """A new room of ann's; its name."""
        name: str = (await self.good("POST", "/rooms", **fields))["irc_channel"]
        return name

    async def join(self, room: str, who: str, user_id: str) -> None:
        """Invite somebody, who accepts."""
        await self.good("POST", "/room_memberships", irc_channel=room, username=who)
        await self.good("PUT", f"/room_memberships/{room}/{user_id}", who, is_confirmed="1")

    async def rule(self, room: str, kind: str, user_id: str, place: int) -> None:
        """An act of moderators, as it stands in the log."""
        row = Sanction(f"{room}{place}", room, kind, user_id, "x", "op", position=Position(1, place))  # type: ignore[arg-type]
        await self.world.store.add_sanction(row)


@pytest.fixture
async def depot(world: World) -> AsyncIterator[Depot]:
    """With ann, bob and cid, and eve whose token may only read."""
    accounts = {login: Account(user_id, login) for user_id, login in ((ANN, "ann"), (BOB, "bob"), (CID, "cid"))}
    accounts["eve"] = Account("eve-id", "eve")
    for account in accounts.values():
        await world.store.add_account(account)

    async def identify(token: str, login: str) -> tuple[Account, bool] | None:
        who = token.removeprefix("token-of-")
        if who == "nobody":
            raise IdentityUnavailable("away")
        return (accounts[who], who != "eve") if who in accounts and login in ("", who) else None

    world.more["identify"] = identify
    world.clock.advance(1447033529.452 - world.clock.now())
    async with world.client(None) as http:
        yield Depot(http, world)


async def test_a_room(depot: Depot) -> None:
    """HTTP-chatdepot: it is named after who made it, and he is in it."""
    room = await depot.good("POST", "/rooms", display_name="my friends")
    name = room["irc_channel"]
    assert room == {
        "irc_channel": "_ann_1447033529452",
        "owner_id": 1,
        "display_name": "my friends",
        "public_invites_enabled": False,
        "cluster": "group",
        "servers": ["127.0.0.1:6669"],
        "chatters_list_url": f"http://test/group/user/{name}/chatters",
    }
    assert await depot.room() == "_ann_1447033529453"
    assert await depot.good("GET", f"/rooms/{name}") == room
    assert [each["irc_channel"] for each in (await depot.good("GET", "/rooms"))["rooms"]] == [
        name,
        "_ann_1447033529453",
    ]
    assert (await depot.good("GET", "/room_memberships"))["memberships"][0] == {
        "room": room,
        "user": {"id": 1},
        "is_owner": True,
        "is_mod": False,
        "is_confirmed": True,
        "is_banned": False,
        "created_at": 1447033529,
    }


async def test_an_invitation(depot: Depot) -> None:
    """HTTP-chatdepot: invited, accepted, left; edges hear of each step."""
    name = await depot.room()
    invited = await depot.good("POST", "/room_memberships", irc_channel=f"#{name}", username="Bob")
    assert (invited["user"], invited["is_confirmed"], invited["is_owner"]) == ({"id": 2}, False, False)
    assert (await depot.good("GET", "/room_memberships", "bob"))["memberships"] == [invited]
    assert await depot.good("POST", "/room_memberships", irc_channel=name, username="bob") == invited
    accepted = await depot.good("PUT", f"/room_memberships/{name}/2", "bob", is_confirmed="1")
    assert accepted == {**invited, "is_confirmed": True}
    assert (await depot.call("DELETE", f"/room_memberships/{name}/2", "bob")).status_code == 204
    assert await depot.good("GET", "/room_memberships", "bob") == {"memberships": []}
    news = await depot.world.store.room_news(0)
    assert [(each.kind, each.users, each.by) for each in news[1:]] == [
        ("invited", (BOB,), "ann"),
        ("changed", (BOB,), ""),
        ("left", (BOB,), "bob"),
    ]


async def test_a_room_is_changed_and_removed(depot: Depot) -> None:
    """HTTP-chatdepot: by its owner alone, and it is in the audit."""
    name = await depot.room()
    await depot.join(name, "bob", BOB)
    changed = await depot.good("PUT", f"/rooms/{name}", display_name="pals", public_invites_enabled="true")
    assert (changed["display_name"], changed["public_invites_enabled"]) == ("pals", True)
    assert (await depot.good("PUT", f"/rooms/{name}", public_invites_enabled="0"))["display_name"] == "pals"
    for method in ("PUT", "DELETE"):
        assert (await depot.call(method, f"/rooms/{name}", "bob")).status_code == 403
    assert (await depot.call("DELETE", f"/rooms/{name}")).status_code == 204
    assert (await depot.call("GET", f"/rooms/{name}", "bob")).status_code == 404
    assert [each.action for each in await depot.world.store.audit_log(subject=name)] == ["room remove", "room add"]


async def test_who_may_invite(depot: Depot) -> None:
    """HTTP-chatdepot: the owner, moderators, and all members if the room is so; nobody who has not accepted."""
    name = await depot.room()
    await depot.good("POST", "/room_memberships", irc_channel=name, username="bob")
    ask = {"irc_channel": name, "username": "cid"}
    assert (await depot.call("POST", "/room_memberships", "cid", **ask)).status_code == 404
    await depot.good("PUT", f"/rooms/{name}", public_invites_enabled="1")
    assert (await depot.call("POST", "/room_memberships", "bob", **ask)).status_code == 403
    await depot.good("PUT", f"/room_memberships/{name}/2", "bob", is_confirmed="1")
    await depot.good("POST", "/room_memberships", "bob", **ask)
    await depot.good("DELETE", f"/room_memberships/{name}/3", "cid")
    await depot.good("PUT", f"/rooms/{name}", public_invites_enabled="0")
    assert (await depot.call("POST", "/room_memberships", "bob", **ask)).status_code == 403
    await depot.rule(name, "mod", BOB, 1)
    await depot.good("POST", "/room_memberships", "bob", **ask)
    assert (await depot.good("GET", "/room_memberships", "bob"))["memberships"][0]["is_mod"] is True


async def test_who_may_put_somebody_out(depot: Depot) -> None:
    """HTTP-chatdepot: the owner anybody, a moderator who is none; nobody the owner."""
    name = await depot.room()
    await depot.join(name, "bob", BOB)
    await depot.join(name, "cid", CID)
    assert (await depot.call("DELETE", f"/room_memberships/{name}/3", "bob")).status_code == 403
    await depot.rule(name, "mod", BOB, 1)
    await depot.rule(name, "mod", CID, 2)
    assert (await depot.call("DELETE", f"/room_memberships/{name}/3", "bob")).status_code == 403
    await depot.rule(name, "unmod", CID, 3)
    assert (await depot.call("DELETE", f"/room_memberships/{name}/3", "bob")).status_code == 204
    for who in ("ann", "bob"):
        assert (await depot.call("DELETE", f"/room_memberships/{name}/1", who)).status_code == 409
    assert (await depot.call("DELETE", f"/room_memberships/{name}/3")).status_code == 404
    assert (await depot.call("DELETE", f"/room_memberships/{name}/2")).status_code == 204


async def test_who_is_banned(depot: Depot) -> None:
    """HTTP-chatdepot: it is shown, and he is not invited again before the ban is lifted."""
    name = await depot.room()
    await depot.join(name, "bob", BOB)
    await depot.rule(name, "ban", BOB, 1)
    assert (await depot.good("GET", "/room_memberships", "bob"))["memberships"][0]["is_banned"] is True
    await depot.good("DELETE", f"/room_memberships/{name}/2")
    ask = {"irc_channel": name, "username": "bob"}
    assert (await depot.call("POST", "/room_memberships", **ask)).status_code == 409
    await depot.rule(name, "lift", BOB, 2)
    await depot.good("POST", "/room_memberships", **ask)


async def test_who_calls(depot: Depot) -> None:
    """HTTP-chatdepot: by the token, in the address, the form or the header; one that may only read changes nothing."""
    http = depot.http
    assert (await http.get("/rooms")).status_code == 401
    assert (await http.get("/rooms?oauth_token=wrong")).status_code == 401
    assert (await http.get("/rooms?oauth_token=token-of-ann&login=bob")).status_code == 401
    assert (await http.get("/rooms?oauth_token=token-of-nobody")).status_code == 503
    assert (await http.get("/rooms?oauth_token=oauth:token-of-ann&login=ANN")).status_code == 200
    assert (await http.get("/rooms", headers={"Authorization": "OAuth token-of-ann"})).status_code == 200
    assert (await http.post("/rooms", data={"oauth_token": "token-of-ann"})).status_code == 200
    assert (await depot.call("GET", "/rooms", "eve")).status_code == 200
    refused = await depot.call("POST", "/rooms", "eve")
    assert refused.status_code == 403
    assert "chat:edit" in refused.json()["error"]
    pages = await depot.http.get("/rooms", headers={"Origin": "http://chat.example"})
    assert pages.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    ("method", "path", "fields", "status"),
    [
        ("POST", "/room_memberships", {"username": "bob"}, 400),
        ("POST", "/room_memberships", {"irc_channel": "lobby", "username": "bob"}, 400),
        ("POST", "/room_memberships", {"irc_channel": "_cid_1447033529452", "username": "bob"}, 404),
        ("POST", "/room_memberships", {"irc_channel": "ROOM", "username": "a b"}, 400),
        ("POST", "/room_memberships", {"irc_channel": "ROOM", "username": "nobody_here"}, 404),
        ("PUT", "/room_memberships/ROOM/1", {"is_confirmed": "0"}, 400),
        ("PUT", "/room_memberships/ROOM/1", {"is_confirmed": "maybe"}, 400),
        ("PUT", "/room_memberships/ROOM/2", {"is_confirmed": "1"}, 403),
        ("GET", "/rooms/lobby", {}, 400),
        ("POST", "/rooms", {"display_name": "a\nb"}, 400),
        ("POST", "/rooms", {"display_name": "x" * 101}, 400),
        ("POST", "/rooms", {f"f{number}": "" for number in range(101)}, 400),
    ],
)
async def test_what_cannot_be(depot: Depot, method: str, path: str, fields: dict[str, str], status: int) -> None:
    """HTTP-chatdepot: one line that says why."""
    name = await depot.room()
    fields = {key: value.replace("ROOM", name) for key, value in fields.items()}
    response = await depot.call(method, path.replace("ROOM", name), **fields)
    assert response.status_code == status, response.text
    assert list(response.json()) == ["error"]


async def test_how_many(depot: Depot, monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP-chatdepot: rooms of an account, and members of a room."""
    monkeypatch.setattr(chatdepot, "MOST_ROOMS", 1)
    monkeypatch.setattr(chatdepot, "MOST_MEMBERS", 2)
    name = await depot.room()
    assert (await depot.call("POST", "/rooms")).status_code == 409
    await depot.join(name, "bob", BOB)
    ask = {"irc_channel": name, "username": "cid"}
    assert (await depot.call("POST", "/room_memberships", **ask)).status_code == 409
    await depot.good("POST", "/room_memberships", irc_channel=name, username="bob")
    assert await depot.world.store.memberships_among([(name, CID)]) == [None]
    assert (await depot.world.store.memberships_among([(name, BOB)]))[0] == Membership(
        name, BOB, True, ANN, depot.world.clock.now()
    )


async def test_without_anybody_who_knows_tokens(stranger: httpx.AsyncClient) -> None:
    """HTTP-chatdepot: there are no rooms to be had."""
    assert (await stranger.get("/rooms?oauth_token=x")).status_code == 404
