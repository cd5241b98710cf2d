"""How a server ends, and what is left: a crash in mid-move, and SIGTERM."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.e2e.harness import Server, raw_client, serve

CHANNEL = "room"

FOLLOWER = "twitch.tv/tags twitch.tv/commands godwit/position"

CRASHES = {
    "wished": "opening",
    "opening": "opened",
    "opened": "sealing",
    "sealing": "sealed",  # the seal was read, and is gone with the log
    "sealed": "draining",  # the store knows of the switch already
}
"""What the journal says when the server dies -> what it was about to say."""


async def ended(server: Server, move_id: str) -> str:
    """The state in which a move ends, with nobody's help."""
    async with server.http() as api:
        answer = await api.get(f"/moves/{move_id}/wait", params={"until": "draining"})
    return str(answer.json()["state"])


@pytest.mark.parametrize("state", CRASHES)
async def test_a_crash_in_mid_move(tmp_path: Path, state: str) -> None:
    """After the restart the move goes on by itself to its end; the channel is usable, under a higher epoch."""
    async with serve(tmp_path) as server, raw_client(server.tcp(), "anna") as anna:
        await anna.login(CHANNEL, caps=FOLLOWER)
        await anna.chat(CHANNEL, ["before"])
        before = await server.show(CHANNEL)
        with server.halt_moves(CRASHES[state]):
            assert (await server.cli("channel", "move", f"#{CHANNEL}", "--to", "aws", "--no-wait")).status == 0
            await server.wait_logged("event=moves_wait", f"channel={CHANNEL}")
            await anna.chat(CHANNEL, ["while it stands still"])
            at_crash = await server.show(CHANNEL)
            assert at_crash["move"]["state"] == state
            await server.kill()

    async with serve(tmp_path) as server:
        assert await ended(server, at_crash["move"]["id"]) == "draining"
        shown = await server.show(CHANNEL)
        assert shown["cluster"] == "aws"
        assert shown["epoch"] > at_crash["epoch"] >= before["epoch"]

        async with raw_client(server.tcp(), "anna") as anna, raw_client(server.tcp("aws"), "ben") as ben:
            await anna.login(caps=FOLLOWER)
            # What was said before is gone with the process, and whoever asks for it is told so.
            await anna.join(CHANNEL, after=f"{before['epoch']}-1")
            await anna.expect("msg-id=godwit_gap")
            await ben.login(CHANNEL)
            await anna.chat(CHANNEL, ["from anna"])
            await ben.chat(CHANNEL, ["from ben"])
            await ben.expect(":from anna")
            await anna.expect(":from ben")

            await server.move(CHANNEL, "main")
            moved = await server.show(CHANNEL)
            assert (moved["cluster"], moved["epoch"]) == ("main", shown["epoch"] + 1)
            await anna.chat(CHANNEL, ["anna again"])
            await ben.expect(":anna again")


async def test_a_crash_while_it_drains(tmp_path: Path) -> None:
    """The channel stays where it went, under a higher epoch, and the move is settled."""
    async with serve(tmp_path) as server, raw_client(server.tcp(), "anna") as anna:
        await anna.login(CHANNEL)
        await server.move(CHANNEL, "aws")
        at_crash = await server.show(CHANNEL)
        assert at_crash["move"]["state"] == "draining"
        await server.kill()

    async with serve(tmp_path, "move.drain=0.1", "move.lease=0.1", "log.compare_interval=0.05") as server:
        async with server.http() as api:
            answer = await api.get(f"/moves/{at_crash['move']['id']}/wait", params={"until": "settled"})
        assert answer.json()["state"] == "settled"
        shown = await server.show(CHANNEL)
        assert shown["cluster"] == "aws"
        assert shown["epoch"] > at_crash["epoch"]
        async with raw_client(server.tcp("aws"), "ben") as ben:
            await ben.login(CHANNEL)
            await ben.chat(CHANNEL, ["still here"])


async def test_sigterm_gives_time_to_leave(tmp_path: Path) -> None:
    """RECONNECT to those who understand it, lines during the grace time, and an end as soon as all have left."""
    async with serve(tmp_path, "edge.reconnect_grace=3600") as server:
        async with raw_client(server.tcp(), "anna") as anna, raw_client(server.tcp("aws"), "ben") as ben:
            await anna.login(CHANNEL)
            await ben.login(CHANNEL, caps="")
            await server.move(CHANNEL, "aws")
            server.process.send_signal(signal.SIGTERM)
            assert await anna.expect(" RECONNECT") == ":tmi.twitch.tv RECONNECT"
            await anna.chat(CHANNEL, ["farewell"])
            await ben.expect(":farewell")
            await ben.flush()
            assert [line for line in ben.lines if "RECONNECT" in line] == []
            with pytest.raises(ConnectionRefusedError):
                async with raw_client(server.tcp(), "carla"):
                    pass
        assert await server.process.wait() == 0


async def test_sigterm_ends_whoever_stays(tmp_path: Path) -> None:
    """After the grace time connections are closed, and the exit status is 0."""
    async with serve(tmp_path, "edge.reconnect_grace=0.2") as server, raw_client(server.tcp(), "anna") as anna:
        await anna.login(CHANNEL)
        server.process.send_signal(signal.SIGTERM)
        await anna.until_closed()
        assert anna.lines[-1] == ":tmi.twitch.tv RECONNECT"
        assert await server.process.wait() == 0
