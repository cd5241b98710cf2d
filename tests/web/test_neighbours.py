"""Who chats where and who hosts whom (HTTP-chatters, HTTP-hosts)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

import httpx
import pytest

from godwit.store.base import Sanction
from godwit.values import Account, Position
from godwit.web import neighbours
from tests.web.conftest import World, until

ROOM = "_ann_1447033529452"


class Crowd:
    """Who is where: channel and cluster -> logins."""

    def __init__(self, world: World) -> None:
        self.there: dict[tuple[str, str], list[str]] = {}
        self.asked: list[tuple[str, str]] = []
        self.world = world
        world.more["members"] = self.members

    async def members(self, channel: str, cluster: str) -> Sequence[str]:
        """The logins in a channel on a cluster."""
        self.asked.append((channel, cluster))
        return self.there.get((channel, cluster), [])


@pytest.fixture
def crowd(world: World) -> Crowd:
    """Asked by the application."""
    return Crowd(world)


def role(world: World, login: str, kind: str, place: int) -> Sanction:
    """A role in #boss, by its login."""
    return Sanction(f"{login}{place}", "boss", kind, login, login, "op", position=Position(1, place))  # type: ignore[arg-type]


@pytest.mark.row("HTTP-chatters")
async def test_chatters(world: World, crowd: Crowd, stranger: httpx.AsyncClient) -> None:
    """HTTP-chatters: over all clusters, each once, by role."""
    for login, kind in (("sue", "staff"), ("ada", "admin"), ("gil", "global_mod"), ("vic", "")):
        await world.store.add_account(Account("", login, user_type=kind))
    for row in (
        role(world, "mod", "mod", 1),
        role(world, "vic", "vip", 2),
        role(world, "old", "mod", 3),
        role(world, "old", "unmod", 4),
        role(world, "boss", "mod", 5),
        role(world, "sue", "mod", 6),
    ):
        await world.store.add_sanction(row)
    crowd.there = {
        ("boss", "main"): ["bob", "mod", "vic", "old", "justinfan12", "bob"],
        ("boss", "aws"): ["boss", "sue", "ada", "gil", "bob"],
        ("boss", "group"): ["nobody"],
    }
    response = await stranger.get("/group/user/Boss/chatters", headers={"Origin": "http://bots.example"})
    assert response.headers["access-control-allow-origin"] == "*"
    assert response.json() == {
        "_links": {},
        "chatter_count": 8,
        "chatters": {
            "broadcaster": ["boss"],
            "vips": ["vic"],
            "moderators": ["mod"],
            "staff": ["sue"],
            "admins": ["ada"],
            "global_mods": ["gil"],
            "viewers": ["bob", "old"],
        },
    }
    assert list(response.json()) == ["_links", "chatter_count", "chatters"]


@pytest.mark.row("HTTP-chatters")
async def test_chatters_as_jsonp(crowd: Crowd, stranger: httpx.AsyncClient) -> None:
    """HTTP-chatters: with status and data."""
    crowd.there = {("boss", "main"): ["bob"]}
    script = (await stranger.get("/group/user/boss/chatters?callback=f")).text
    assert script.startswith("/**/f({")
    found = json.loads(script.removeprefix("/**/f(").removesuffix(");"))
    assert found["status"] == 200
    assert found["data"] == (await stranger.get("/group/user/boss/chatters")).json()
    assert found["data"]["chatters"]["viewers"] == ["bob"]


@pytest.mark.row("HTTP-chatters")
async def test_chatters_of_a_group_room(crowd: Crowd, stranger: httpx.AsyncClient) -> None:
    """HTTP-chatters: who has made it is its broadcaster."""
    crowd.there = {(ROOM, "group"): ["ann", "bob"], (ROOM, "main"): ["nobody"]}
    found = (await stranger.get(f"/group/user/{ROOM}/chatters")).json()
    assert (found["chatters"]["broadcaster"], found["chatters"]["viewers"]) == (["ann"], ["bob"])


@pytest.mark.row("HTTP-chatters")
async def test_chatters_are_kept_for_a_while(world: World, crowd: Crowd, stranger: httpx.AsyncClient) -> None:
    """HTTP-chatters: edges are not asked for each who asks; a large crowd is kept for longer."""
    crowd.there = {("boss", "main"): [f"user{number}" for number in range(1000)]}
    for _ in range(3):
        assert (await stranger.get("/group/user/boss/chatters")).json()["chatter_count"] == 1000
    assert crowd.asked == [("boss", "main"), ("boss", "aws")]
    world.clock.advance(neighbours.KEPT)
    await stranger.get("/group/user/boss/chatters")
    assert len(crowd.asked) == 2
    world.clock.advance(1.0)
    await stranger.get("/group/user/boss/chatters")
    assert len(crowd.asked) == 4


@pytest.mark.row("HTTP-chatters")
async def test_chatters_that_many_want_at_once(crowd: Crowd) -> None:
    """HTTP-chatters: no more lists are made at once than that; one that many wait for is made as often at most."""
    waiting, go = 0, asyncio.Event()
    ask = crowd.members

    async def slow(channel: str, cluster: str) -> Sequence[str]:
        nonlocal waiting
        waiting += 1
        await go.wait()
        return await ask(channel, cluster)

    crowd.world.more["members"] = slow
    async with crowd.world.client(None) as http:
        answers = [asyncio.create_task(http.get("/group/user/boss/chatters")) for _ in range(30)]
        await until(lambda: waiting == neighbours.AT_ONCE)
        go.set()
        assert {(await answer).json()["chatter_count"] for answer in answers} == {0}
    assert len(crowd.asked) == 2 * neighbours.AT_ONCE


@pytest.mark.row("HTTP-chatters")
async def test_chatters_that_cannot_be_told(stranger: httpx.AsyncClient) -> None:
    """HTTP-chatters: with what is wrong."""
    assert (await stranger.get("/group/user/boss/chatters")).status_code == 503
    assert (await stranger.get("/group/user/a%20b/chatters")).status_code == 400


async def hosting(world: World) -> None:
    """cid hosts ann, so does bob; dan did."""
    for number, login in enumerate(("ann", "bob", "cid", "dan"), 1):
        await world.store.add_account(Account(str(number), login, login.capitalize() if login != "dan" else ""))
    for number, (channel, kind, target) in enumerate(
        (("cid", "host", "ann"), ("bob", "host", "ann"), ("dan", "host", "ann"), ("dan", "unhost", ""))
    ):
        await world.store.add_sanction(
            Sanction(str(number), channel, kind, "", target, "op", position=Position(1, number + 1))  # type: ignore[arg-type]
        )


@pytest.mark.row("HTTP-hosts")
async def test_who_hosts_a_channel(world: World, stranger: httpx.AsyncClient) -> None:
    """HTTP-hosts: by user id, with logins if they are wanted."""
    await hosting(world)
    assert (await stranger.get("/hosts?target=1")).json() == {
        "hosts": [{"host_id": 2, "target_id": 1}, {"host_id": 3, "target_id": 1}]
    }
    found = (await stranger.get("/hosts?include_logins=1&target=1")).json()["hosts"][1]
    assert found == {
        "host_id": 3,
        "target_id": 1,
        "host_login": "cid",
        "target_login": "ann",
        "host_display_name": "Cid",
        "target_display_name": "Ann",
    }
    assert (await stranger.get("/hosts?target=4")).json() == {"hosts": []}
    assert (await stranger.get("/hosts?target=99")).json() == {"hosts": []}


@pytest.mark.row("HTTP-hosts")
async def test_whom_a_channel_hosts(world: World, stranger: httpx.AsyncClient) -> None:
    """HTTP-hosts: always one entry, without a target if there is none."""
    await hosting(world)
    assert (await stranger.get("/hosts?host=2")).json() == {"hosts": [{"host_id": 2, "target_id": 1}]}
    assert (await stranger.get("/hosts?include_logins=1&host=4")).json() == {
        "hosts": [{"host_id": 4, "host_login": "dan", "host_display_name": "dan"}]
    }
    assert (await stranger.get("/hosts?host=99")).json() == {"hosts": [{"host_id": 99}]}
    assert (await stranger.get("/hosts?host=" + "9" * 30)).json() == {"hosts": [{"host_id": "9" * 30}]}
    script = await stranger.get("/hosts?host=2&callback=f")
    assert script.text == '/**/f({"hosts":[{"host_id":2,"target_id":1}]});'


@pytest.mark.row("HTTP-hosts")
@pytest.mark.parametrize("query", ["", "?host=1&target=2", "?host=%0A", "?host=" + "1" * 41])
async def test_hosts_that_cannot_be_asked_for(stranger: httpx.AsyncClient, query: str) -> None:
    """HTTP-hosts: one of the two."""
    assert (await stranger.get(f"/hosts{query}")).status_code == 400


@pytest.mark.row("HTTP-properties")
async def test_properties_tell_of_subscribers_mode(world: World, stranger: httpx.AsyncClient) -> None:
    """HTTP-properties: as it is now; a group room has none."""
    url = "/api/channels/alice/chat_properties"
    assert (await stranger.get(url)).json()["subsonly"] is False
    for place, value in ((1, 1), (2, 0), (3, 1)):
        await world.store.add_sanction(
            Sanction(str(place), "alice", "set", "subs-only", "", "op", seconds=value, position=Position(1, place))
        )
        assert (await stranger.get(url)).json()["subsonly"] is bool(value)
    assert (await stranger.get(f"/api/channels/{ROOM}/chat_properties")).status_code == 404


@pytest.mark.row("HTTP-servers", "HTTP-bulk", "GROUP-4")
async def test_where_a_room_is(stranger: httpx.AsyncClient, http: httpx.AsyncClient) -> None:
    """GROUP-4: on the cluster of group chat; operators have nothing to do with it."""
    there = await stranger.get("/servers?cluster=group")
    assert (await stranger.get(f"/servers?channel=%23{ROOM}")).content == there.content
    found = (await stranger.get(f"/servers?channel={ROOM}&channel=alice")).json()["channels"]
    assert found[ROOM] == {"cluster": "group", "epoch": 1, "draining": False}
    assert found["alice"]["cluster"] == "main"
    refused = await http.post(f"/channels/{ROOM}/bans", json={"login": "alice", "by": "op"})
    assert refused.status_code == 400
    assert "is a group room" in refused.json()["error"]
