"""One connection: deadlines, bad input, faults, readers that do not read."""

from __future__ import annotations

import asyncio
import socket

from structlog.testing import capture_logs

from godwit.edge.node import SLICE
from tests.edge.world import DEADLINE, world


async def test_a_login_that_takes_too_long_is_closed() -> None:
    """LOGIN-10."""
    async with world() as net:
        node = net.nodes["main"]
        slow, fast = await net.connect(), await net.login("fast")
        slow.send("CAP LS")
        await slow.until("CAP * LS")
        node.sweep(node.loop.time() + 29.0)
        slow.send("CAP LS")
        await slow.until("CAP * LS")
        node.sweep(node.loop.time() + 32.0)
        assert await slow.rest() == [":tmi.twitch.tv NOTICE * :Login unsuccessful"]
        assert await fast.flush() == []
        assert node.counts.overdue == 1


async def test_a_silent_client_is_asked_and_closed_if_it_does_not_answer() -> None:
    """PING-2, PING-3."""
    async with world() as net:
        node = net.nodes["main"]
        client = await net.login("ronni")
        now = node.loop.time()
        node.sweep(now + 299.0)
        assert await client.flush() == []
        node.sweep(now + 310.0)
        assert await client.line() == "PING :tmi.twitch.tv"
        node.sweep(now + 375.0)
        assert await client.rest() == []
        assert node.counts.overdue == 1


async def test_any_answer_keeps_the_connection() -> None:
    """PING-2."""
    async with world() as net:
        node = net.nodes["main"]
        client = await net.login("ronni")
        session, now = net.session("ronni"), node.loop.time()
        session.heard = now - 300.0
        session.due(now)
        assert await client.line() == "PING :tmi.twitch.tv"
        client.send("PONG")
        assert await client.flush() == []
        node.sweep(now + 62.0)
        assert await client.flush() == []
        assert session in node.sessions
        assert node.counts.overdue == 0


async def test_a_line_that_is_too_long_is_refused_and_the_connection_goes_on() -> None:
    """LINE-5."""
    async with world() as net:
        ann, bob = await net.join("ann"), await net.join("bob")
        ann.send("PRIVMSG #room :" + "x" * 9000, "PRIVMSG #room :short")
        assert await ann.line() == ":tmi.twitch.tv 417 ann :Input line was too long"
        assert [line.split(" :")[-1] for line in await bob.until("PRIVMSG")] == ["short"]


async def test_an_unknown_command_is_answered() -> None:
    """CMD-1."""
    async with world() as net:
        client = await net.login("ronni")
        client.send("WHO #room")
        assert await client.line() == ":tmi.twitch.tv 421 ronni WHO :Unknown command"


async def test_bytes_that_are_no_text_do_no_harm() -> None:
    """LINE-2."""
    async with world() as net:
        client = await net.login("ronni")
        client.writer.write(b"\xff\xfe\x00 :\r\n@=;;= \r\n\r\n:\r\nPRIVMSG\r\n")
        lines = await client.flush()
        assert all(" 421 " in line or " 461 " in line for line in lines)


async def test_capabilities_may_change_in_a_channel() -> None:
    """CAP-2."""
    async with world() as net:
        ann, bob = await net.join("ann"), await net.join("bob", caps="")
        ann.send("PRIVMSG #room :before")
        assert (await bob.until("PRIVMSG"))[-1].startswith(":ann!")
        bob.send("CAP REQ :twitch.tv/tags")
        await bob.until("ACK")
        ann.send("PRIVMSG #room :after")
        assert (await bob.until("PRIVMSG"))[-1].startswith("@")


async def test_an_answer_comes_behind_the_lines_that_were_said_before() -> None:
    async with world() as net:
        ann, bob = await net.join("ann"), await net.join("bob")
        for number in range(20):
            ann.send(f"PRIVMSG #room :{number}")
            await ann.until("USERSTATE")
            assert [line.split(" :")[-1] for line in await bob.flush()] == [str(number)]


async def test_what_is_written_to_one_comes_behind_what_waits_in_channels() -> None:
    async with world() as net:
        bob = await net.join("bob")
        net.nodes["main"].room("room").fanout.line(lambda caps: b"first\r\n")
        net.session("bob").write(b"second\r\n")
        assert await bob.flush() == ["first", "second"]


async def test_a_fault_closes_this_connection_only() -> None:
    async with world() as net:
        ann, bob = await net.join("ann"), await net.join("bob")

        def broken(*arguments: object) -> None:
            raise RuntimeError("broken")

        net.nodes["main"].room = broken  # type: ignore[method-assign, assignment]
        with capture_logs() as logs:
            ann.send("JOIN #second")
            assert await ann.rest() == []
        assert "session_failed" in [entry["event"] for entry in logs]
        assert await bob.flush() == []
        assert net.nodes["main"].counts.sessions_failed == 1


async def test_who_does_not_read_is_cut_and_the_others_go_on() -> None:
    """LIMIT-1."""
    async with world(edge={"send_buffer": 65_536}) as net:
        node = net.nodes["main"]
        ann, bob = await net.join("ann"), await net.join("bob")
        tcp = net.fronts["main"].tcp
        assert tcp
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(deaf, ("127.0.0.1", tcp.port))
            await loop.sock_sendall(deaf, b"PASS oauth:x\r\nNICK deaf\r\nJOIN #room\r\n")
            await net.until(lambda: node.members("room") == 3)
            said = 0
            async with asyncio.timeout(DEADLINE):
                while node.counts.slow_readers == 0:
                    ann.send(*(f"PRIVMSG #room :{'x' * 480} {number}" for number in range(said, said + 50)))
                    said += 50
                    await bob.until(f" {said - 1}")
                    await ann.flush()
        assert node.members("room") == 2
        ann.send("PRIVMSG #room :still here")
        await bob.until(":still here")


async def test_deadlines_of_many_come_in_portions_between_which_others_have_their_turn() -> None:
    """PING-2: who came together is asked together, and the loop goes on; who hangs up meanwhile is left alone."""
    async with world() as net:
        node = net.nodes["main"]
        await net.login("ronni")
        session, now = net.session("ronni"), node.loop.time()
        asked: list[int] = []

        class Asked:
            def __init__(self, number: int) -> None:
                self.slot, self.number = 0, number

            def due(self, now: float) -> None:
                asked.append(self.number)

        for number in range(2 * SLICE + 1):
            node.wheel.set(Asked(number), now)
        node.wheel.set(session, now)
        portions = []
        for _ in node._portions(now + 310.0):
            portions.append(len(asked))
            if len(portions) == 1:
                session.connection.abort("cut")
        assert portions == [SLICE, 2 * SLICE]
        assert len(asked) == 2 * SLICE + 1
        assert session.slot == 0
        assert node.counts.overdue == 0
