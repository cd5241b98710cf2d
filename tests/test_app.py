"""The whole process, inside the test: everything up, a move, everything down."""

from __future__ import annotations

import asyncio
import os
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from godwit.app import App
from godwit.control.controller import Controller
from godwit.edge.front import Ports
from godwit.errors import InvalidSetting
from godwit.settings import ControlSettings, DirectorySettings, EdgeSettings, LimitSettings, Settings, StoreSettings
from godwit.store.database import sqlite_url
from godwit.store.sql import SqlStore
from godwit.values import Move, Segment, derived_id
from tests.edge.world import DEADLINE, Client


def _settings(tmp_path: Path, **changed: Any) -> Settings:
    settings = Settings(
        clusters=("main", "aws", "group"),
        store=StoreSettings(path=str(tmp_path / "store.sqlite3")),
        edge=EdgeSettings(reconnect_grace=0.0, edges=2),
        limits=LimitSettings(preset="off"),
        control=ControlSettings(probes=False),
    )
    return replace(settings, **changed)


async def _join(ready: dict[str, Any], nick: str, cluster: str = "main") -> Client:
    host, port = ready["clusters"][cluster]["tcp"].split(":")
    client = Client(*await asyncio.open_connection(host, int(port)))
    client.send("CAP REQ :twitch.tv/tags twitch.tv/commands", "PASS oauth:x", f"NICK {nick}", "JOIN #room")
    await client.until("ROOMSTATE")
    return client


def _api(ready: dict[str, Any]) -> httpx.AsyncClient:
    token = {"Authorization": f"Bearer {ready['admin_token']}"}
    return httpx.AsyncClient(base_url=ready["api"], headers=token, timeout=DEADLINE)


async def _move(api: httpx.AsyncClient, to: str) -> None:
    answer = await api.post("/channels/room/move", json={"to": to})
    assert answer.status_code == 202, answer.text
    move = (await api.get(f"/moves/{answer.json()['id']}/wait", params={"until": "draining", "timeout": 5})).json()
    assert move["state"] == "draining"


async def test_a_channel_moves_there_and_back_while_people_talk(tmp_path: Path) -> None:
    app = App(_settings(tmp_path), ports_auto=True)
    ready = await app.start()
    try:
        assert ready["pid"] == os.getpid()
        assert list(ready["clusters"]) == ["main", "aws", "group"]
        clients = [await _join(ready, nick, cluster) for nick, cluster in (("a", "main"), ("b", "main"), ("c", "aws"))]
        async with _api(ready) as api:
            for number, to in enumerate(("aws", "main", "")):
                for talker in clients:
                    nick = "abc"[clients.index(talker)]
                    talker.send(f"PRIVMSG #room :{number} by {nick}")
                    await talker.until(" USERSTATE ")
                    for other in clients[:2] if number == 0 else clients:
                        if other is not talker:
                            await other.until(f":{number} by {nick}")
                if to:
                    await _move(api, to)
                    servers = (await api.get("/servers", params={"channel": "room"})).json()
                    assert servers["cluster"] == to
                    assert servers["servers"] == [ready["clusters"][to]["tcp"]]
            assert (await api.get("/readyz")).status_code == 200
            metrics = (await api.get("/metrics")).text
            assert 'godwit_edge_acknowledged_total{cluster="main"} 6.0' in metrics
            assert 'godwit_edge_serverchanges_total{cluster="aws"} 2.0' in metrics
    finally:
        await app.stop()
    for client in clients:
        assert (await client.rest())[-1] == ":tmi.twitch.tv RECONNECT"
        client.close()


async def test_what_operators_ask_is_answered_by_the_parts(tmp_path: Path) -> None:
    app = App(_settings(tmp_path), ports_auto=True)
    ready = await app.start()
    try:
        client = await _join(ready, "ronni")
        client.send("PRIVMSG #room :hi")
        await client.until("USERSTATE")
        async with _api(ready) as api:
            found = (await api.get("/doctor")).json()
            assert (found["clean"], found["channels"]) == (True, 1)
            explained = (await api.get("/channels/room/explain")).json()
            assert (explained["cluster"], explained["reason"]) == ("main", "no rollout names it")
            wish = {"verb": "retire", "args": {"cluster": "main", "into": "aws"}, "by": "me", "reason": "the end"}
            refused = await api.post("/wishes", json={**wish, "dry_run": True})
            assert refused.status_code == 409
            assert "1 channels are still there: move them first" in refused.text
            toml = 'name = "all"\nto = "aws"\n[[wave]]\nname = "everyone"\nrest = true\n'
            plan = (await api.post("/rollouts/plan", json={"toml": toml})).json()
            assert plan["waves"][0]["count"] == 1, plan
            start = {"verb": "start", "args": {"toml": toml, "hash": plan["hash"]}, "by": "me", "reason": "go"}
            assert (await api.post("/wishes", json=start)).status_code == 200
            feed = (await api.get("/changes", params={"since": 0, "wait": 5})).json()
            assert feed["next"] > 0
        client.close()
    finally:
        await app.stop()


async def test_probes_come_in_and_leave_before_everybody_else(tmp_path: Path) -> None:
    """With a grace of an hour the end would not come before they have left."""
    edge = EdgeSettings(reconnect_grace=3600.0)
    app = App(_settings(tmp_path, control=ControlSettings(), edge=edge), ports_auto=True)
    with capture_logs() as logs:
        ready = await app.start()
        try:
            async with _api(ready) as api, asyncio.timeout(DEADLINE):
                text = ""
                while not all(f'connections{{cluster="{name}"}} 2.0' in text for name in ("main", "aws")):
                    text = (await api.get("/metrics")).text
        finally:
            async with asyncio.timeout(DEADLINE):
                await app.stop()
    watched = {entry["cluster"] for entry in logs if entry["event"] == "probe_watches"}
    assert watched == {"main", "aws"}


async def test_ordinary_channels_do_not_move_to_the_group_cluster(tmp_path: Path) -> None:
    app = App(_settings(tmp_path), ports_auto=True)
    ready = await app.start()
    try:
        async with _api(ready) as api:
            before = (await api.get("/servers", params={"cluster": "group"})).content
            answer = await api.post("/channels/room/move", json={"to": "group"})
            assert answer.status_code in {400, 404, 409}
            assert (await api.get("/servers", params={"cluster": "group"})).content == before
    finally:
        await app.stop()


async def test_after_a_restart_everything_but_the_lines_is_there(tmp_path: Path) -> None:
    """Rule L2."""
    settings = _settings(tmp_path)
    app = App(settings, ports_auto=True)
    ready = await app.start()
    client = await _join(ready, "ronni")
    client.send("PRIVMSG #room :before")
    await client.until("USERSTATE")
    async with _api(ready) as api:
        await _move(api, "aws")
    await app.stop()
    client.close()
    app = App(settings, ports_auto=True)
    with capture_logs() as logs:
        ready = await app.start()
    try:
        assert [entry["channels"] for entry in logs if entry["event"] == "channels_reopened"] == [1]
        client = await _join(ready, "ronni", "aws")
        client.send("PRIVMSG #room :after")
        await client.until("USERSTATE")
        async with _api(ready) as api:
            placed = (await api.get("/channels/room")).json()
            assert (placed["cluster"], placed["epoch"]) == ("aws", 4)
        client.close()
    finally:
        await app.stop()


async def test_fixed_ports_follow_one_another(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    edge = EdgeSettings(tcp_port=0, ws=False, reconnect_grace=0.0)
    settings = _settings(tmp_path, clusters=("main",), edge=edge, directory=DirectorySettings(port=port))
    app = App(settings)
    ready = await app.start()
    try:
        assert ready["api"] == f"http://127.0.0.1:{port}"
        assert ready["clusters"]["main"]["ws"] is None
        assert app.ports(0) == Ports(0, edge.ws_port, edge.tls_port, edge.wss_port)
        assert app.ports(2) == Ports(2, edge.ws_port + 2, edge.tls_port + 2, edge.wss_port + 2)
    finally:
        await app.stop()


async def test_public_addresses_are_told_to_clients(tmp_path: Path) -> None:
    public = {"main": {"tcp": ["irc.example.net:6667"], "wss": ["ws.example.net:443"]}}
    app = App(_settings(tmp_path, directory=DirectorySettings(public=public)), ports_auto=True)
    ready = await app.start()
    try:
        async with _api(ready) as api:
            servers = (await api.get("/servers", params={"cluster": "main"})).json()
            assert servers["servers"] == ["irc.example.net:6667"]
    finally:
        await app.stop()


async def test_with_open_authentication_every_legal_channel_has_properties(tmp_path: Path) -> None:
    """HTTP-properties: each legal name exists and owns its channel, used before or not."""
    app = App(_settings(tmp_path), ports_auto=True)
    ready = await app.start()
    try:
        async with _api(ready) as api:
            found = (await api.get("/api/channels/alice/chat_properties")).json()
            assert (str(found["_id"]), found["cluster"]) == (derived_id("alice"), "main")
            assert (await api.get("/api/channels/alice/chat_properties")).json() == found
    finally:
        await app.stop()


async def test_a_port_that_is_taken_ends_the_start_and_leaves_nothing_open(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        edge = EdgeSettings(tcp_port=taken.getsockname()[1], reconnect_grace=0.0)
        app = App(_settings(tmp_path, edge=edge, directory=DirectorySettings(port=0)))
        with pytest.raises(OSError, match="in use"):
            await app.start()
    again = App(_settings(tmp_path), ports_auto=True)
    await again.start()
    await again.stop()


async def test_a_default_placement_that_is_not_configured_is_refused(tmp_path: Path) -> None:
    first = App(_settings(tmp_path), ports_auto=True)
    await first.start()
    await first.stop()
    with pytest.raises(InvalidSetting, match="'main'"):
        await App(_settings(tmp_path, clusters=("aws",)), ports_auto=True).start()


async def test_a_store_with_channels_or_moves_on_a_cluster_that_is_not_configured_is_refused(tmp_path: Path) -> None:
    whole, less = _settings(tmp_path), _settings(tmp_path, clusters=("main", "group"))
    app = App(whole, ports_auto=True)
    await app.start()
    await app.stop()
    store = SqlStore(sqlite_url(whole.store.path))
    await store.open()
    await store.pin(["cat", "dog", "eel"])
    for channel in ("cat", "dog"):
        await store.commit(channel, Segment("aws", 3, 0, "gone"), drain_until=0.0, now=0.0)
    before = await store.rows()
    with pytest.raises(InvalidSetting, match=r"^clusters: .* 'aws' too \(channels and unfinished moves: 2\); add "):
        await App(less, ports_auto=True).start()
    for move in (
        Move("m1", "eel", "event", "wished"),
        Move("m2", "fox", "main", "opening", source=Segment("aws", 3, 0, "gone")),
        Move("m3", "cow", "main", "wished"),
    ):
        await store.begin_move(move)
    with pytest.raises(InvalidSetting, match=r"'aws', 'event' too \(channels and unfinished moves: 4\)"):
        await App(less, ports_auto=True).start()
    assert await store.rows() == before
    await store.close()


async def test_the_group_cluster_cannot_be_the_default(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="group"):
        await App(_settings(tmp_path, clusters=("group", "main")), ports_auto=True).start()


async def test_stopping_wakes_who_waits_for_the_end(tmp_path: Path) -> None:
    app = App(_settings(tmp_path), ports_auto=True)
    await app.start()
    ended = asyncio.create_task(app.wait_stopped())
    await app.stop()
    await app.stop()
    async with asyncio.timeout(DEADLINE):
        await asyncio.wait([ended])


async def test_a_fault_in_a_part_ends_the_whole_and_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run(self: Controller) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(Controller, "run", run)
    app = App(_settings(tmp_path), ports_auto=True)
    with capture_logs() as logs:
        await app.start()
        async with asyncio.timeout(DEADLINE):
            await app.wait_stopped()
        await app.stop()
    assert "app_failed" in [entry["event"] for entry in logs]
