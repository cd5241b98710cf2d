"""A network of many real processes: NATS, PostgreSQL, edges, directory, controllers; and what happens when some die."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg

from tests.bots.driver import DEADLINE, ROOT
from tests.e2e.harness import RawClient, Server, raw_client, run_cli

START = 120.0
"""Seconds that a network of ten processes may take to start, on a machine that has other things to do."""

CAPS = "twitch.tv/tags twitch.tv/commands godwit/position"

QUICK = (
    "limits.preset=off",
    "control.probes=false",
    "move.lease=2",
    "log.compare_interval=1",
    "move.drain=1",
    "edge.drain_spread=0.5",
    "edge.reconnect_grace=1",
)


class Network(Server):
    """Many processes, started and ended by `godwit up --nodes`."""

    directory: Path

    def about(self, name: str) -> dict[str, Any]:
        """What is known of a process now."""
        found: dict[str, Any] = json.loads((self.directory / "processes.json").read_text(encoding="utf-8"))[name]
        return found

    def edge(self, name: str) -> str:
        """`host:port` of an edge's TCP listener."""
        return str(self.about(name)["tcp"])

    def said_by(self, name: str) -> str:
        """What a process has logged so far."""
        return (self.directory / f"{name}.log").read_text(encoding="utf-8")

    async def moved(self, channel: str, to: str, until: str = "draining") -> None:
        """Move a channel (named without `#`), over the API, and wait until that has come to a state."""
        async with self.http() as api, asyncio.timeout(2 * DEADLINE):
            answer = await api.post(f"/channels/{channel}/move", json={"to": to, "by": "the test"})
            assert answer.status_code == 202, answer.text
            state = ""
            while state not in (until, "settled"):
                found = await api.get(f"/moves/{answer.json()['id']}/wait?until={until}&timeout=20")
                state = found.json()["state"]
                assert state not in ("failed", "cancelled"), found.text

    def leader(self) -> str:
        """The controller that was the last to lead."""
        terms = {
            max(map(int, found)): name
            for name in ("controller-1", "controller-2")
            if (found := re.findall(r"event=leads .*term=(\d+)", self.said_by(name)))
        }
        return terms[max(terms)]

    @contextlib.asynccontextmanager
    async def halted(self, state: str) -> AsyncIterator[None]:
        """While this lasts no move gets to `state`: the store refuses to write that."""
        url = tomllib.loads((self.directory / "godwit.toml").read_text(encoding="utf-8"))["store"]["url"]
        store = await asyncpg.connect(url)
        refuse = "CREATE FUNCTION halt() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'halted'; END $$"
        try:
            await store.execute(refuse)
            await store.execute(
                "CREATE TRIGGER halt BEFORE UPDATE ON moves FOR EACH ROW "
                f"WHEN (NEW.state = '{state}') EXECUTE FUNCTION halt()"
            )
            try:
                yield
            finally:
                await store.execute("DROP TRIGGER halt ON moves")
        finally:
            await store.close()


@contextlib.asynccontextmanager
async def network(directory: Path) -> AsyncIterator[Network]:
    """Two clusters with a NATS server, two edges each, and two controllers; at the end all must end cleanly."""
    ready_file = directory / "ready.json"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "godwit", "up", "--nodes", "--nats", "1"),
        *("--dir", str(directory / "nodes"), "--ready-file", str(ready_file)),
        *(word for setting in QUICK for word in ("--set", setting)),
        cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        limit=1 << 20,
    )
    found = Network(process, ready_file, directory)
    found.directory = directory / "nodes"
    try:
        await found.wait_ready(START)
        yield found
    finally:
        await found.stop()
    assert found.ended_well, "\n".join(found.errors[-30:])


async def everybody_heard(clients: dict[str, RawClient], channel: str, said: dict[str, list[str]]) -> None:
    """Each has heard what the others said, each line once, in one order."""

    def all_there(nick: str) -> bool:
        return len(clients[nick].heard(channel)) >= sum(len(lines) for by, lines in said.items() if by != nick)

    for nick, client in clients.items():
        await client.until(lambda nick=nick: all_there(nick), "all that was said")  # type: ignore[misc]
        heard = client.heard(channel)
        for by, lines in said.items():
            assert [text for who, text in heard if who == by] == ([] if by == nick else lines), (nick, by)
    first, *others = clients
    for other in others:
        both = {first, other}
        ours, theirs = ([one for one in clients[nick].heard(channel) if one[0] not in both] for nick in (first, other))
        assert ours == theirs


async def test_a_network_of_many_processes(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        net = await stack.enter_async_context(network(tmp_path))
        places = {"ann": "edge-main-1", "ben": "edge-main-2", "cleo": "edge-aws-1", "dan": "edge-aws-2"}
        clients: dict[str, RawClient] = {}
        for nick, place in places.items():
            clients[nick] = await stack.enter_async_context(raw_client(net.edge(place), nick))
            await clients[nick].login(caps=CAPS)
            if place.startswith("edge-main"):
                await clients[nick].join("room")
        said: dict[str, list[str]] = {nick: [] for nick in clients}

        async def talk(nick: str, word: str, count: int = 30) -> None:
            lines = [f"{word} {number} by {nick}" for number in range(count)]
            said[nick] += lines
            await clients[nick].chat("room", lines)

        # Two edges of one cluster.
        there = {nick: clients[nick] for nick in ("ann", "ben")}
        await asyncio.gather(*(talk(nick, "home") for nick in there))
        await everybody_heard(there, "room", {nick: said[nick] for nick in there})

        # Away and back, with people of both clusters, while they talk.
        await asyncio.gather(*(talk(nick, "away", 60) for nick in there), net.moved("room", "aws"))
        for nick in ("cleo", "dan"):
            await clients[nick].join("room", after="1-0")
        await asyncio.gather(*(talk(nick, "back", 60) for nick in clients), net.moved("room", "main"))
        await everybody_heard(clients, "room", said)
        assert any(" SERVERCHANGE #room" in line for line in clients["ann"].lines)

        # The controller that leads is killed in mid-move; somebody goes on.
        async with net.halted("sealed"):
            moving = asyncio.create_task(net.moved("room", "aws", "settled"))
            leader = net.leader()
            await until_logged(net, leader, "moves_wait")
            os.kill(net.about(leader)["pid"], signal.SIGKILL)
        await asyncio.gather(*(talk(nick, "killed") for nick in clients))
        await moving
        await everybody_heard(clients, "room", said)

        # An edge is told to end: its clients are sent away and come back elsewhere, where they are shown the rest.
        last = clients["ann"].lines
        os.kill(net.about("edge-main-1")["pid"], signal.SIGTERM)
        await clients["ann"].expect(" RECONNECT")
        await clients["ann"].until_closed()
        position = [found[1] for line in last if (found := re.search(r"godwit-position=(\d+-\d+)", line))][-1]
        heard = clients["ann"].heard("room")
        del clients["ann"]
        await asyncio.gather(*(talk(nick, "without") for nick in clients))
        again = await stack.enter_async_context(raw_client(net.edge("edge-main-2"), "ann"))
        await again.login(caps=CAPS)
        await again.join("room", after=position)
        await talk("ben", "together")
        total = sum(len(lines) for nick, lines in said.items() if nick != "ann")

        def seen() -> list[tuple[str, str]]:
            """What she saw in all; behind her last position there may be lines of her own, which she is shown too."""
            return heard + [line for line in again.heard("room") if line[0] != "ann"]

        await again.until(lambda: len(seen()) >= total, "what was missed")
        assert sorted(seen()) == sorted((nick, line) for nick, lines in said.items() if nick != "ann" for line in lines)
        await everybody_heard(clients, "room", said)

        await workers_share_a_port(net)
        await retire(net)

        doctor = await net.cli("doctor")
        assert doctor.status == 0, doctor
        assert "clean" in doctor.out


async def workers_share_a_port(net: Network) -> None:
    """Two more edges of aws on one port: both serve, one that is killed comes back, and they end as they are told."""
    ready_file = net.directory / "workers.json"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "godwit", "edge", "--cluster", "aws", "--workers", "2", "--ports", "auto"),
        *("--config", str(net.directory / "godwit.toml"), "--name", "more", "--ready-file", str(ready_file)),
        *(word for setting in QUICK for word in ("--set", setting)),
        cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        limit=1 << 20,
    )
    more = Server(process, ready_file, net.directory)
    try:
        await more.wait_ready(START)
        started = [line for line in more.errors if "event=started" in line]
        pids = {found[1]: int(found[2]) for line in started if (found := re.search(r"process=(\S+) pid=(\d+)", line))}
        assert sorted(pids) == ["more-1", "more-2"]
        registered = ("[more-1] ", "event=registered")
        before = len(more.logged(*registered))
        os.kill(pids["more-1"], signal.SIGKILL)
        await more.wait_logged("event=worker_ended", "name=more-1")
        async with raw_client(more.tcp("aws"), "eve") as eve:
            await eve.login("room", caps=CAPS)
            await eve.chat("room", ["over the port that they share"])
        # Its name is its own again when the dead one's last sign of life has run out.
        await more.wait_logged(*registered, after=before)
    finally:
        await more.stop()
    assert more.ended_well, "\n".join(more.errors[-30:])


async def retire(net: Network) -> None:
    """The addresses of a retired cluster serve the other one, in processes that had only edges of their own."""
    changed = await net.cli("cluster", "default", "aws", "--reason", "the end")
    assert changed.status == 0, changed
    retired = await net.cli("cluster", "retire", "main", "--into", "aws", "--reason", "the end")
    assert retired.status == 0, retired
    for name in ("edge-main-1", "edge-main-2"):
        await until_logged(net, name, "event=cluster_retired")
    async with (
        raw_client(net.edge("edge-main-1"), "fred") as fred,
        raw_client(net.edge("edge-aws-1"), "gina") as gina,
    ):
        for client in (fred, gina):
            await client.login("room", caps=CAPS)
        await fred.chat("room", ["from the old address"])
        await gina.expect("from the old address")
        home = next(line for line in fred.lines if " ROOMSTATE #room" in line)
        assert "godwit-cluster=aws" in home
        assert "godwit-home=1" in home


async def until_logged(net: Network, name: str, text: str) -> None:
    """Wait until a process of the network has logged something."""
    async with asyncio.timeout(DEADLINE):
        while text not in net.said_by(name):
            await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=0.05)


async def test_half_a_configuration_is_refused() -> None:
    """With one line, and without starting anything."""
    outcome = await run_cli("edge", "--cluster", "main", "--set", "store.url=postgresql://nobody@127.0.0.1:1/none")
    assert outcome.status == 2
    assert outcome.err.splitlines() == [
        "godwit: godwit edge is one process of many and needs nats.servers, auth.admin_token or "
        "auth.admin_token_file; 'godwit serve' does everything in one process without them, 'godwit up --nodes' "
        "starts many for trying"
    ]
