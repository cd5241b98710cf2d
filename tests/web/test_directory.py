"""The directory's answers (HTTP-servers, HTTP-bulk, HTTP-properties)."""

from __future__ import annotations

import json

import httpx
import pytest

from godwit.values import Addresses
from tests.web.conftest import World


def one_line_error(response: httpx.Response) -> str:
    """The text of an error, which must be one line of JSON with one key."""
    body = response.json()
    assert list(body) == ["error"]
    assert "\n" not in response.text
    assert "\n" not in body["error"]
    text: str = body["error"]
    return text


async def test_a_channel_nobody_placed_is_on_the_default_cluster(stranger: httpx.AsyncClient) -> None:
    """HTTP-servers: exactly the three keys, in the order clients know."""
    response = await stranger.get("/servers?channel=nobody")
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.text == (
        '{"cluster":"main","servers":["127.0.0.1:6667","127.0.0.1:6677"],"websockets_servers":["127.0.0.1:8080"]}'
    )


async def test_a_placed_channel_is_where_it_was_placed(world: World, stranger: httpx.AsyncClient) -> None:
    """HTTP-servers: tcp addresses only, no TLS ones."""
    await world.place("alice", "aws", 2)
    body = (await stranger.get("/servers?channel=alice")).json()
    assert body == {"cluster": "aws", "servers": ["irc.example.net:6668"], "websockets_servers": ["127.0.0.1:8081"]}


async def test_no_query_tells_the_default_cluster(stranger: httpx.AsyncClient) -> None:
    """HTTP-servers: a look-up without a query."""
    assert (await stranger.get("/servers")).json()["cluster"] == "main"


async def test_other_parameters_are_ignored(stranger: httpx.AsyncClient) -> None:
    """HTTP-servers: bots add numbers against caches."""
    plain = await stranger.get("/servers?channel=alice")
    busted = await stranger.get("/servers?channel=alice&kappa=0.123&_=99")
    assert busted.content == plain.content


async def test_no_ipv6_literal_is_told(stranger: httpx.AsyncClient) -> None:
    """HTTP-servers: clients split at the first colon."""
    assert (await stranger.get("/servers?cluster=group")).json()["servers"] == ["127.0.0.1:6669"]


async def test_the_group_answer_is_the_same_bytes_whatever_moves(world: World, stranger: httpx.AsyncClient) -> None:
    """HTTP-servers: a move does not touch group chat."""
    before = (await stranger.get("/servers?cluster=group")).content
    await world.place("alice", "aws", 2)
    during = (await stranger.get("/servers?cluster=group")).content
    await world.place("alice", "main", 3)
    after = (await stranger.get("/servers?cluster=group")).content
    assert before == during == after


@pytest.mark.parametrize("name", ["a%20b", "", "x" * 26, "a%0Ab", "%E2%84%AA"])
async def test_what_cannot_be_a_channel_is_refused(stranger: httpx.AsyncClient, name: str) -> None:
    """HTTP-servers: 400, one line."""
    response = await stranger.get(f"/servers?channel={name}")
    assert response.status_code == 400
    assert "cannot be a channel" in one_line_error(response)


@pytest.mark.parametrize("name", ["%23Alice", "ALICE", "alice"])
async def test_a_name_may_carry_its_sign_and_any_case(world: World, stranger: httpx.AsyncClient, name: str) -> None:
    """HTTP-servers: what people type is what they mean."""
    await world.place("alice", "aws", 2)
    assert (await stranger.get(f"/servers?channel={name}")).json()["cluster"] == "aws"


async def test_an_unknown_cluster_is_not_found(stranger: httpx.AsyncClient) -> None:
    """HTTP-servers: 404, naming the clusters there are."""
    response = await stranger.get("/servers?cluster=azure")
    assert response.status_code == 404
    assert one_line_error(response) == "there is no cluster 'azure': choose one of main, aws, group"


async def test_a_cluster_without_addresses_is_not_answered_with_an_empty_list(
    world: World, stranger: httpx.AsyncClient
) -> None:
    """HTTP-servers: clients take element 0 unseen, so there must be one."""
    world.addresses["main"] = Addresses()
    response = await stranger.get("/servers?channel=alice")
    assert response.status_code == 503
    one_line_error(response)


async def test_jsonp(stranger: httpx.AsyncClient) -> None:
    """HTTP-servers: `callback` names a function."""
    plain = await stranger.get("/servers?cluster=main")
    script = await stranger.get("/servers?cluster=main&callback=angular.callbacks._0")
    assert script.headers["content-type"].startswith("application/javascript")
    assert script.headers["x-content-type-options"] == "nosniff"
    assert script.text == f"/**/angular.callbacks._0({plain.text});"


@pytest.mark.parametrize("callback", ["alert(1)//", "a b", "a..b", "1a", "a" * 101, "a%0A"])
async def test_a_callback_that_is_more_than_a_name_is_refused(stranger: httpx.AsyncClient, callback: str) -> None:
    """HTTP-servers: nobody's script is echoed."""
    response = await stranger.get(f"/servers?callback={callback}")
    assert response.status_code == 400
    assert "cannot be a callback" in one_line_error(response)


async def test_web_pages_of_any_origin_may_read_the_directory_only(http: httpx.AsyncClient) -> None:
    """HTTP-servers: CORS is open for the directory, also on its errors; the API has none."""
    origin = {"Origin": "http://bots.example"}
    for path in ("/servers", "/servers?channel=%20", "/api/channels/alice/chat_properties"):
        assert (await http.get(path, headers=origin)).headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-origin" not in (await http.get("/channels/alice", headers=origin)).headers
    asked = {**origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    assert (await http.options("/servers", headers=asked)).status_code == 200


async def test_many_channels_at_once(world: World, stranger: httpx.AsyncClient) -> None:
    """HTTP-bulk: each cluster's addresses are said once."""
    await world.place("alice", "aws", 2)
    response = await stranger.post("/servers", json={"channels": ["#Alice", "bob", "alice"]})
    assert response.status_code == 200
    assert response.json() == {
        "channels": {
            "alice": {"cluster": "aws", "epoch": 2, "draining": True},
            "bob": {"cluster": "main", "epoch": 1, "draining": False},
        },
        "clusters": {
            "aws": {"servers": ["irc.example.net:6668"], "websockets_servers": ["127.0.0.1:8081"]},
            "main": {"servers": ["127.0.0.1:6667", "127.0.0.1:6677"], "websockets_servers": ["127.0.0.1:8080"]},
        },
    }


async def test_several_channels_in_a_query_give_the_bulk_form(stranger: httpx.AsyncClient) -> None:
    """HTTP-bulk: the same answer by GET."""
    by_get = await stranger.get("/servers?channel=alice&channel=bob")
    by_post = await stranger.post("/servers", json={"channels": ["alice", "bob"]})
    assert by_get.content == by_post.content


async def test_ten_thousand_channels_are_answered_and_one_more_is_refused(stranger: httpx.AsyncClient) -> None:
    """HTTP-bulk: the bound."""
    names = [f"bot{number:022}" for number in range(10_000)]
    response = await stranger.post("/servers", json={"channels": names})
    assert response.status_code == 200
    assert list(response.json()["channels"]) == names
    response = await stranger.post("/servers", json={"channels": [*names, "more"]})
    assert response.status_code == 400
    assert "at most 10000" in one_line_error(response)


@pytest.mark.parametrize(
    "body", ["", "{", "[]", "{}", '{"channels": "alice"}', '{"channels": [1]}', '{"channels": ["a b"]}', '"\ud800"']
)
async def test_a_bulk_request_that_cannot_be_read_is_refused(stranger: httpx.AsyncClient, body: str) -> None:
    """HTTP-bulk: 400, one line."""
    sent = body.encode("utf-8", "surrogatepass")
    response = await stranger.post("/servers", content=sent, headers={"Content-Type": "application/json"})
    assert response.status_code == 400
    one_line_error(response)


async def test_no_channels_give_an_empty_answer(stranger: httpx.AsyncClient) -> None:
    """HTTP-bulk: nothing asked, nothing told."""
    assert (await stranger.post("/servers", json={"channels": []})).json() == {"channels": {}, "clusters": {}}


async def test_chat_properties(world: World, stranger: httpx.AsyncClient) -> None:
    """HTTP-properties: the keys that clients of 2016 read."""
    await world.place("alice", "aws", 2)
    assert (await stranger.get("/api/channels/alice/chat_properties")).json() == {
        "_id": 42,
        "cluster": "aws",
        "chat_servers": ["irc.example.net:6668"],
        "web_socket_servers": ["127.0.0.1:8081"],
        "darklaunch_pct": 0,
        "subsonly": False,
    }


async def test_chat_properties_as_jsonp(stranger: httpx.AsyncClient) -> None:
    """HTTP-properties: JSONP worked there."""
    script = (await stranger.get("/api/channels/alice/chat_properties?callback=f")).text
    assert json.loads(script.removeprefix("/**/f(").removesuffix(");"))["cluster"] == "main"


async def test_chat_properties_of_nobody(stranger: httpx.AsyncClient) -> None:
    """HTTP-properties: 404 with a key `error`."""
    response = await stranger.get("/api/channels/nobody/chat_properties")
    assert response.status_code == 404
    assert one_line_error(response) == "there is no channel nobody"


async def test_everything_is_described(stranger: httpx.AsyncClient) -> None:
    """The OpenAPI page lists the routes of all three families."""
    paths = (await stranger.get("/openapi.json")).json()["paths"]
    assert {"/servers", "/api/channels/{login}/chat_properties", "/healthz", "/channels/{name}/move"} <= set(paths)
