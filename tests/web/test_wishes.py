"""Wishes by HTTP (HTTP-wishes)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import msgspec
import pytest

from godwit.errors import InvalidRequest
from godwit.rollout.values import Advance, Wish
from tests.web.conftest import World, until
from tests.web.rollout_world import started
from tests.web.test_directory import one_line_error

pytestmark = pytest.mark.row("HTTP-wishes")


async def ask(http: httpx.AsyncClient, verb: str, **body: Any) -> httpx.Response:
    """Wish for something."""
    return await http.post("/wishes", json={"verb": verb, "wait": 0, **body})


async def answer(world: World, state: Any, text: str) -> None:
    """Act on all new wishes, as the controller does."""
    lease = await world.store.lead("controller", "test", now=0.0, until=10**9)
    wishes = tuple(
        msgspec.structs.replace(wish, state=state, answer=text) for wish in await world.store.wishes(new=True)
    )
    await world.store.advance(Advance(0.0, wishes=wishes), term=lease.term)
    world.changes.notify()


async def untouched(world: World) -> bool:
    """Nothing was recorded and nobody was woken."""
    return not (await world.store.wishes() or await world.store.audit_log() or world.wishes)


async def test_a_wish_is_recorded_with_name_and_reason(world: World, http: httpx.AsyncClient) -> None:
    """202 while nobody has acted on it; the controller is woken, the audit knows."""
    response = await ask(http, "hold", args={"channel": "#Alice"}, by="carol", reason=" a tournament ")
    assert response.status_code == 202
    body = response.json()
    assert (body["state"], body["args"], body["reason"], body["dry_run"]) == (
        "new",
        {"channel": "alice"},
        "a tournament",
        False,
    )
    stored = await world.store.wish(body["id"])
    assert stored is not None
    assert (stored.verb, stored.by, stored.time) == ("hold", "carol", world.clock.now())
    assert len(world.wishes) == 1
    line = (await world.store.audit_log())[0]
    assert (line.actor, line.action, line.subject, line.reason) == ("carol", "hold", "alice", "a tournament")
    assert body["id"] in line.details


@pytest.mark.parametrize(("state", "status"), [("done", 200), ("refused", 409)])
async def test_the_answer_is_waited_for(world: World, http: httpx.AsyncClient, state: str, status: int) -> None:
    """200 if it was done, 409 with the controller's words if it was refused."""
    asked = asyncio.create_task(ask(http, "release", args={"channel": "alice"}, wait=60))
    await until(lambda: world.wishes)
    await answer(world, state, "so it is")
    response = await asked
    assert response.status_code == status
    if state == "done":
        assert (response.json()["state"], response.json()["answer"]) == ("done", "so it is")
    else:
        assert one_line_error(response) == "so it is"


async def test_a_wish_that_is_sent_again_is_one_wish(world: World, http: httpx.AsyncClient) -> None:
    """Who chooses its id may try again."""
    for _ in range(2):
        response = await ask(http, "release", args={"channel": "alice"}, id="my-own-wish")
        assert response.json()["id"] == "my-own-wish"
        world.clock.advance(1)
    assert len(await world.store.wishes()) == 1
    assert len(await world.store.audit_log()) == 1


@pytest.mark.parametrize("name", ["", "latest", "autumn", "r1"])
async def test_a_rollout_is_named_as_one_likes(world: World, http: httpx.AsyncClient, name: str) -> None:
    """By id, by name, as the latest, or not at all."""
    await started(world.store)
    response = await ask(http, "pause", rollout=name)
    assert (response.status_code, response.json()["rollout"]) == (202, "r1")


async def test_of_those_of_one_name_the_one_under_way_is_meant(world: World, http: httpx.AsyncClient) -> None:
    """The newest if all have ended."""
    await started(world.store)
    await started(world.store, rollout_id="r2", state="aborted")
    await started(world.store, rollout_id="r3", state="aborted")
    assert (await ask(http, "pause", rollout="autumn")).json()["rollout"] == "r1"
    assert (await ask(http, "reverse", rollout="latest", args={"all": True})).json()["rollout"] == "r3"


async def test_what_the_state_forbids_is_the_controllers_to_say(world: World, http: httpx.AsyncClient) -> None:
    """A wish before it may change the state: `pause` and `resume` may be sent together."""
    await started(world.store)
    assert (await ask(http, "pause")).status_code == 202
    assert (await ask(http, "resume")).status_code == 202


@pytest.mark.parametrize(
    ("body", "status", "hint"),
    [
        ({"verb": "explode"}, 400, "explode"),
        ({"verb": "skip"}, 400, "needs channel"),
        ({"verb": "pause", "args": {"colour": "red"}}, 400, "colour"),
        ({"verb": "skip", "args": {"channel": "a b"}}, 400, "cannot be a channel"),
        ({"verb": "hold", "args": {"channel": "alice"}}, 400, "needs a reason"),
        ({"verb": "reverse", "args": {"all": True, "force": True}}, 400, "needs a reason"),
        ({"verb": "pause", "rollout": "spring"}, 404, "'spring'"),
        ({"verb": "pause", "wait": 61}, 400, "wait"),
        ({"verb": "pause", "by": ""}, 400, "by"),
        ({"verb": "pause", "reason": "a\nb"}, 400, "reason"),
        ({"verb": "pause", "id": "short"}, 400, "id"),
        ({"verb": "x" * 51}, 400, "verb"),
        ({"verb": "\ud800"}, 400, "verb: U+D800"),
        ({"verb": "issue-add", "args": {"text": "caf\udce9"}}, 400, "args.text: U+DCE9"),
        ({"verb": "issue-add", "args": {"text": "a\x07"}}, 400, "args.text: U+0007"),
        ({"verb": "set", "args": {"budget": {"in_flight": float("nan")}}}, 400, "args.budget.in_flight: nan"),
        ({"verb": "set", "args": {"budget": {"in_flight": 10**400}}}, 400, "too large"),
        ({"verb": "set", "args": {"budget": [[[[[[[[1]]]]]]]]}}, 400, "more than 5"),
        ({"verb": "issue-add", "args": {"text": "x" * 70_000}}, 400, "args.text: too long"),
        ({"verb": "start", "args": {"toml": "\ud800"}}, 400, "args.toml: U+D800"),
        ({"verb": "pause", "reason": "\ud800"}, 400, "reason: U+D800"),
        ({"verb": "pause", "by": "a\x9b"}, 400, "by: U+009B"),
        ({}, 400, "verb"),
    ],
)
async def test_wishes_that_cannot_be_are_refused(
    world: World, http: httpx.AsyncClient, body: dict[str, Any], status: int, hint: str
) -> None:
    """One line; nothing is recorded."""
    await started(world.store)
    response = await http.post("/wishes", content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert response.status_code == status
    assert hint in one_line_error(response)
    assert await untouched(world)


async def test_a_rollouts_text_may_be_long(http: httpx.AsyncClient) -> None:
    """A file has many lines, and may name a million channels."""
    response = await ask(http, "start", args={"toml": "# line\r\n\tx\n" * 50_000, "hash": "8c1f0a6be2d97430"})
    assert response.status_code == 202


async def test_whatever_is_stored_already_is_listed(world: World, http: httpx.AsyncClient) -> None:
    """An earlier version took in what cannot be told as it is."""
    deep: Any = 1
    for _ in range(400):
        deep = [deep]
    args = {"text": "caf\udce9", "\ud800": float("nan"), "deep": deep}
    await world.store.add_wish(Wish("stored-before", "issue-add", "carol\ud800", 1.0, args=args, reason="\udce9"))
    response = await http.get("/wishes")
    assert response.status_code == 200
    (found,) = response.json()["wishes"]
    assert (found["id"], found["args"]["text"], found["reason"]) == ("stored-before", "caf\ufffd", "?")
    assert (await http.get("/wishes/stored-before")).status_code == 200


async def test_without_any_rollout(http: httpx.AsyncClient) -> None:
    """404, saying so."""
    response = await ask(http, "pause")
    assert response.status_code == 404
    assert "no rollout yet" in one_line_error(response)


def rehearsed(said: str | InvalidRequest, asked: list[Wish]) -> Callable[[Wish], Any]:
    """A dry run that says `said`."""

    async def dry_run(wish: Wish) -> str:
        asked.append(wish)
        if isinstance(said, InvalidRequest):
            raise said
        return said

    return dry_run


async def test_a_dry_run_records_nothing(world: World) -> None:
    """It says what would be done."""
    asked: list[Wish] = []
    world.more["dry_run"] = rehearsed("alice would be released", asked)
    async with world.client() as http:
        response = await ask(http, "release", args={"channel": "alice"}, dry_run=True)
    assert response.status_code == 200
    body = response.json()
    assert (body["id"], body["state"], body["answer"], body["dry_run"]) == ("", "done", "alice would be released", True)
    assert [wish.verb for wish in asked] == ["release"]
    assert await untouched(world)


async def test_a_dry_run_names_no_id(world: World) -> None:
    """What would begin has none yet: whoever looks for it later would find nothing."""

    async def dry_run(wish: Wish) -> str:
        return f"rollout evacuate-main ({wish.id}) to aws: 3 channels in waves all 3"

    world.more["dry_run"] = dry_run
    async with world.client() as http:
        args = {"cluster": "main", "into": "aws"}
        body = (await ask(http, "evacuate", args=args, reason="its disks are gone", dry_run=True)).json()
    assert (body["id"], body["answer"]) == ("", "rollout evacuate-main to aws: 3 channels in waves all 3")


async def test_a_dry_run_is_refused_as_the_act_would_be(world: World) -> None:
    """409, with the same words."""
    world.more["dry_run"] = rehearsed(InvalidRequest("a rollout that is finished takes no pause"), [])
    await started(world.store)
    async with world.client() as http:
        response = await ask(http, "pause", dry_run=True)
    assert response.status_code == 409
    assert one_line_error(response) == "a rollout that is finished takes no pause"


async def test_where_the_controller_is_not_there_is_no_dry_run(http: httpx.AsyncClient) -> None:
    """503, saying so."""
    response = await ask(http, "release", args={"channel": "alice"}, dry_run=True)
    assert response.status_code == 503
    assert "controller" in one_line_error(response)


async def test_wishes_are_listed(world: World, http: httpx.AsyncClient) -> None:
    """The new ones oldest first, otherwise newest first; those of one rollout."""
    await started(world.store)
    first = (await ask(http, "release", args={"channel": "alice"})).json()["id"]
    await answer(world, "done", "")
    second = (await ask(http, "pause")).json()["id"]
    third = (await ask(http, "release", args={"channel": "bob"})).json()["id"]

    async def ids(query: str) -> list[str]:
        return [wish["id"] for wish in (await http.get(f"/wishes{query}")).json()["wishes"]]

    assert await ids("") == [third, second, first]
    assert await ids("?new=true") == [second, third]
    assert await ids("?rollout=autumn") == [second]
    assert await ids("?limit=1") == [third]
    assert (await http.get("/wishes?rollout=spring")).status_code == 404


async def test_one_wish_is_shown_and_waited_for(world: World, http: httpx.AsyncClient) -> None:
    """A refused one too: here it is what was asked for."""
    wish_id = (await ask(http, "release", args={"channel": "alice"})).json()["id"]
    assert (await http.get(f"/wishes/{wish_id}")).json()["state"] == "new"
    asked = asyncio.create_task(http.get(f"/wishes/{wish_id}?wait=60"))
    await until(lambda: world.changes.next()._waiters)
    await answer(world, "refused", "no")
    response = await asked
    assert (response.status_code, response.json()["state"], response.json()["answer"]) == (200, "refused", "no")
    missing = await http.get("/wishes/none")
    assert missing.status_code == 404
    one_line_error(missing)


async def test_a_long_text_is_not_told_again(world: World, http: httpx.AsyncClient) -> None:
    """A rollout's file may be megabytes long; the controller has it."""
    toml = "# " + "x" * 2_000_000
    body = (await ask(http, "start", args={"toml": toml, "hash": "8c1f0a6be2d97430"})).json()
    assert body["args"] == {"hash": "8c1f0a6be2d97430"}
    stored = await world.store.wish(body["id"])
    assert stored is not None
    assert stored.args["toml"] == toml
