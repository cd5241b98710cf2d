"""Plans by HTTP (HTTP-rollouts)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import httpx
import pytest

from godwit.rollout import definition, plan
from godwit.rollout.values import Facts, Hold
from tests.web.conftest import World
from tests.web.rollout_world import TOML
from tests.web.test_directory import one_line_error

pytestmark = pytest.mark.row("HTTP-rollouts")


@dataclass(frozen=True)
class Here:
    """Who is in a channel."""

    members: int = 0
    told: int = 0
    last_message: float = 0.0


@pytest.fixture
async def crowd(world: World) -> dict[str, Here]:
    """Three channels with rows, and who is in them."""
    await world.store.pin(["alice", "bob", "carol", "dave"])
    await world.store.set_facts([Facts("bob", members=40), Facts("carol", opt="out")])
    here = {"alice": Here(members=7, told=7), "dave": Here(last_message=world.clock.now() - 5)}

    async def presence(channels: Sequence[str]) -> list[Here]:
        return [here.get(channel, Here()) for channel in channels]

    world.more["presence"] = presence
    return here


async def test_a_plan(world: World, crowd: dict[str, Here]) -> None:
    """Waves with who goes first, sizes as they are now, and who is unknown: planned all the same, as it is named."""
    await world.store.set_live("bob", True, 0.0)
    await world.store.hold(Hold("dave", "erin", "why not", 0.0))
    async with world.client() as http:
        body = (await http.post("/rollouts/plan", json={"toml": TOML})).json()
    assert (body["name"], body["to"], body["sources"], body["count"]) == ("autumn", "aws", ["main"], 5)
    staff, rest = body["waves"]
    assert staff == {
        "name": "staff",
        "count": 3,
        "hot": 1,
        "cold": 2,
        "members": 47,
        "largest": {"channel": "bob", "members": 40},
        "first": ["nobody", "alice", "bob"],
        "gates": [],
        "mandatory": False,
        "seconds": pytest.approx(3.0, abs=2.0),
    }
    assert (rest["count"], rest["hot"], rest["mandatory"]) == (2, 1, True)
    assert body["seconds"] == pytest.approx(staff["seconds"] + rest["seconds"])
    assert body["excluded"] == []
    assert body["unknown"] == ["nobody"]
    assert body["warnings"] == [
        "wave 'staff': 1 live now, they wait for their streams to end",
        "wave 'rest': 1 held, they wait until they are released",
    ]


async def test_the_hash_is_that_which_start_asks_for(world: World, crowd: dict[str, Here]) -> None:
    """Of the same definition over the same channels."""
    async with world.client() as http:
        told = (await http.post("/rollouts/plan", json={"toml": TOML})).json()["hash"]
    parsed = definition.parse(TOML, clusters=["main", "aws"])
    candidates = [*await world.store.candidates(), *await world.store.candidates_of(["nobody"])]
    made = plan.make(parsed, candidates, now=world.clock.now())
    assert told == made.hash


async def test_who_is_left_out_is_told_with_the_reason(world: World, http: httpx.AsyncClient) -> None:
    """Each with one."""
    await world.place("alice", "aws", 2)
    await world.store.pin(["bob"])
    body = (await http.post("/rollouts/plan", json={"toml": TOML})).json()
    assert body["excluded"] == [{"channel": "alice", "reason": "already on aws"}]
    assert "wave 'rest' is empty" in body["warnings"]


async def test_lists_in_files_are_sent_along(world: World, http: httpx.AsyncClient) -> None:
    """Those that are missing are told."""
    await world.store.pin(["alice", "bob"])
    toml = 'name = "a"\nto = "aws"\n[[wave]]\nname = "staff"\nfile = "staff.txt"\n'
    body = (await http.post("/rollouts/plan", json={"toml": toml, "files": {"staff.txt": "alice\n#bob\n"}})).json()
    assert body["waves"][0]["first"] == ["alice", "bob"]
    response = await http.post("/rollouts/plan", json={"toml": toml})
    assert response.status_code == 400
    assert "staff.txt" in response.json()["error"]


async def test_all_faults_of_a_file_are_told(http: httpx.AsyncClient) -> None:
    """With their lines, one by one too."""
    toml = 'name = "a"\nto = "nowhere"\n[[wave]]\nname = "x"\npercent = 120\n'
    response = await http.post("/rollouts/plan", json={"toml": toml})
    assert response.status_code == 400
    body = response.json()
    assert any("rollout.toml:2" in fault for fault in body["errors"])
    assert any("rollout.toml:5" in fault for fault in body["errors"])
    assert body["error"] == "; ".join(body["errors"])


async def test_without_a_crowd_facts_say_who_is_hot(world: World, http: httpx.AsyncClient) -> None:
    """This process may know of no edges."""
    await world.store.set_facts([Facts("alice", members=3), Facts("bob")])
    staff = (await http.post("/rollouts/plan", json={"toml": TOML})).json()["waves"][0]
    assert (staff["hot"], staff["cold"]) == (1, 2)


async def test_more_channels_than_a_page(world: World, http: httpx.AsyncClient) -> None:
    """All are planned."""
    await world.store.pin([f"channel{number}" for number in range(2001)])
    assert (await http.post("/rollouts/plan", json={"toml": TOML})).json()["count"] == 2001 + 3


async def test_many_names_that_nobody_knows(world: World, http: httpx.AsyncClient) -> None:
    """They are asked for in pages too."""
    names = [f"channel{number}" for number in range(1500)]
    toml = f'name = "a"\nto = "aws"\n[[wave]]\nname = "staff"\nchannels = {names}\n'
    body = (await http.post("/rollouts/plan", json={"toml": toml})).json()
    assert (body["count"], len(body["unknown"]), body["excluded"]) == (1500, 1500, [])


async def test_metrics_that_there_are_not(world: World) -> None:
    """If it is known which there are, another one is a fault of the file."""
    world.more["metrics"] = ("gaps", "gaps@aws")
    gate = '[[wave.gate]]\nkind = "metric"\nvalue = "{}"\nat_most = 1\n'
    async with world.client() as http:
        good = await http.post("/rollouts/plan", json={"toml": TOML + gate.format("gaps@aws")})
        bad = await http.post("/rollouts/plan", json={"toml": TOML + gate.format("gasp@aws")})
    assert (good.status_code, bad.status_code) == (200, 400)
    assert "did you mean 'gaps@aws'" in bad.json()["error"]


async def test_a_plan_for_a_retired_cluster_is_refused(world: World, http: httpx.AsyncClient) -> None:
    """Nothing can go there."""
    await world.store.retire("aws", "main", 0.0)
    response = await http.post("/rollouts/plan", json={"toml": TOML})
    assert response.status_code == 409
    assert "aws is retired into main" in one_line_error(response)
