"""A whole server dies in the middle of a rollout, again and again: started anew it goes on by itself."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

from tests.e2e.harness import Server, serve
from tests.e2e.rollouts import import_facts, members, start_rollout, stored, wait_moved, wait_state

CHANNELS = 300

HOT = [f"room{number}" for number in range(0, CHANNELS, 50)]
"""Channels that somebody is in, spread over all waves."""

QUICK = ("move.drain=0.3", "move.lease=0.3", "log.compare_interval=0.1")

ROLLOUT = """
name = "to-aws"
to = "aws"
from = ["main"]
offline_for = 0

[budget]
in_flight = 3
hot_per_second = 20
cold_in_flight = 20
cold_per_second = 100

[[wave]]
name = "staff"
tiers = ["staff"]

[[wave]]
name = "some"
percent = 40

[[wave]]
name = "everyone"
rest = true
"""


class Network:
    """A server that dies and comes back on the same store; its channels, and what is known of its deaths."""

    def __init__(self, directory: Path, seed: int) -> None:
        self.directory = directory
        self.random = random.Random(seed)
        self.number = 0
        print(f"seed {seed}")

    def facts(self) -> list[dict[str, Any]]:
        """What is told of the channels."""
        return [
            {
                "channel": f"room{number}",
                "members": self.random.randrange(100),
                "tier": "staff" if number % 15 == 0 else "",
            }
            for number in range(CHANNELS)
        ]

    def started(self) -> Path:
        """The rollout's file."""
        file = self.directory / "rollout.toml"
        file.write_text(ROLLOUT, encoding="utf-8")
        return file

    async def kill(self, server: Server, state: str) -> None:
        """Kill it at a moment that is drawn by what has moved; the rollout must be in the middle."""
        moved, questions = self.random.randrange(18), self.random.randrange(12)
        await wait_moved(server, self.number, moved, questions)
        await server.kill()
        found = stored(server)
        self.number = max((event["number"] for event in found["feed"]), default=0)
        print(
            f"killed after {moved} moves and {questions} questions: items",
            dict(Counter(item["state"] for item in found["items"])),
            "moves",
            dict(Counter(move["state"] for move in found["moves"])),
        )
        [rollout] = found["rollouts"]
        assert json.loads(rollout["body"])["state"] == state


async def check(server: Server, cluster: str, total: int) -> None:
    """Journal, items and placements agree: everything is on a cluster, and nothing is left to do."""
    clean = await server.cli("doctor")
    assert clean.status == 0, clean
    found = stored(server)
    assert {row["cluster"] for row in found["placements"]} == {cluster}
    if cluster == "aws":  # on the way back those that never moved are where the default is
        assert len(found["placements"]) == total
    assert [row["cluster"] for row in found["default_placement"]] == [cluster]
    assert Counter(item["state"] for item in found["items"]) == {"done": total}
    newest = {move["channel"]: move for move in sorted(found["moves"], key=lambda move: move["number"])}
    assert {move["target"] for move in newest.values()} <= {cluster}
    assert {move["state"] for move in newest.values()} <= {"draining", "settled"}
    assert [move for move in found["moves"] if move["state"] == "failed"] == []


async def test_ten_deaths(tmp_path: Path) -> None:
    """It ends as planned although nobody resumes anything."""
    network = Network(tmp_path, seed=3)
    async with serve(tmp_path, *QUICK) as server, members(server, HOT):
        await import_facts(server, network.facts())
        await start_rollout(server, network.started())
        await network.kill(server, "running")
    for _ in range(9):
        async with serve(tmp_path, *QUICK) as server, members(server, HOT):
            await network.kill(server, "running")
    async with serve(tmp_path, *QUICK) as server, members(server, HOT) as there:
        ended = await wait_state(server, "finished", "paused", "aborted")
        assert [turn["state"] for turn in ended["history"]] == ["running", "finished"]
        assert [turn["by"] for turn in ended["history"][1:]] == ["controller"]
        assert {wave["state"] for wave in ended["waves"]} == {"done"}
        assert ended["done"] == ended["total"] == CHANNELS
        await check(server, "aws", CHANNELS)
        for client, channel in zip(there, HOT, strict=True):
            await client.chat(channel, ["still here"])


async def test_deaths_on_the_way_there_and_back(tmp_path: Path) -> None:
    """`reverse --all` between deaths brings everything back, the default placement too."""
    network = Network(tmp_path, seed=4)
    async with serve(tmp_path, *QUICK) as server, members(server, HOT):
        await import_facts(server, network.facts())
        await start_rollout(server, network.started())
        await network.kill(server, "running")
    async with serve(tmp_path, *QUICK) as server:
        await wait_moved(server, network.number, 30)
        reverse = await server.cli("rollout", "reverse", "--all", "--reason", "second thoughts")
        assert reverse.status == 0, reverse
        network.number = max(event["number"] for event in stored(server)["feed"])
        await network.kill(server, "reversing")
    for _ in range(2):
        async with serve(tmp_path, *QUICK) as server, members(server, HOT):
            await network.kill(server, "reversing")
    async with serve(tmp_path, *QUICK) as server:
        ended = await wait_state(server, "reversed", "paused", "finished")
        assert [turn["state"] for turn in ended["history"]] == ["running", "reversing", "reversed"]
        await check(server, "main", CHANNELS)
