"""Rehearsals on a real network, and what goes wrong in them."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable
from typing import Any

import pytest

from godwit.control import rehearsal as module
from godwit.control.hidden import dial
from godwit.control.rehearsal import Load, Outcome, Rehearsals, spare_sessions
from godwit.errors import LoginRefused, UnknownCluster
from tests.control.outside_world import Rooms, token
from tests.edge.world import World, world


class Stage:
    """Rehearsals whose time passes only in their pauses.

    Attributes:
        meanwhile: called in each pause that takes time.
    """

    def __init__(self, net: World, **options: Any) -> None:
        self.time = 0.0
        self.pauses = 0
        self.lines: list[str] = []
        self.meanwhile: Callable[[], None] = lambda: None
        self.rooms = Rooms(net)
        self.net = net
        options = {"clusters": self.rooms.clusters, "place": self.rooms.place, "credentials": token, **options}
        self.rehearsals = Rehearsals(now=lambda: self.time, sleep=self.sleep, **options)

    async def sleep(self, seconds: float) -> None:
        """Time passes, and lines get through."""
        if seconds > 0:
            self.time += seconds
            self.pauses += 1
            self.meanwhile()
            for _ in range(30):
                await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def rehearse(self, members: int, rate: float = 5.0, seconds: float = 2.0) -> Outcome:
        """Put a load on aws."""
        return await self.rehearsals.rehearse("aws", Load("big", members, rate, seconds), self.lines.append)

    async def gone(self) -> None:
        """Wait until everybody has left."""
        await self.net.until(lambda: not any(node.sessions for node in self.net.nodes.values()))


async def test_everybody_sees_everything() -> None:
    async with world() as net:
        stage = Stage(net)
        outcome = await stage.rehearse(40)
        assert outcome.sound, str(outcome)
        assert outcome.loaded
        assert (outcome.wanted, outcome.joined, outcome.said, outcome.due) == (40, 40, 10, 10)
        assert outcome.deliveries == 400
        assert outcome.p99 is not None
        assert outcome.note == ""
        assert stage.rooms.placed == [("godwit__shadow_1", "aws")]
        assert stage.lines[0] == "40 members join #godwit__shadow_1 on aws"
        assert "0 of 10 messages said to 40 members" in stage.lines
        await stage.gone()


async def test_many_talkers_share_a_high_rate() -> None:
    async with world() as net:
        talkers = []

        async def let_in(login: str) -> str | None:
            talkers.append(login)
            return "x"

        outcome = await Stage(net, credentials=let_in).rehearse(10, rate=10.0)
        assert outcome.sound, str(outcome)
        assert outcome.said == 20
        assert talkers == ["godwit__shadow_1", "godwit__talker_2", "godwit__talker_3", "godwit__talker_4"]


async def test_more_members_than_there_may_be_are_fewer_and_told() -> None:
    async with world() as net:
        outcome = await Stage(net, most_sessions=20).rehearse(1000, rate=1.0)
        assert outcome.sound, str(outcome)
        assert outcome.joined == 19
        assert outcome.note == "19 members instead of 1000: no more sessions here"
        assert str(outcome).endswith(outcome.note)


def test_not_all_files_are_taken() -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert 0 < spare_sessions() <= soft / 4


async def test_who_is_cut_off_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LATE", 0.01)
    async with world() as net:
        stage = Stage(net)

        def cut() -> None:
            if stage.pauses == 3:
                listener = next(one for one in net.nodes["aws"].sessions if one.nick.startswith("justinfan"))
                listener.connection.abort("cut")

        stage.meanwhile = cut
        outcome = await stage.rehearse(5)
        assert not outcome.sound
        assert outcome.left == 1
        assert outcome.lost > 0
        assert "1 cut off" in str(outcome)


async def test_who_is_not_let_in_is_counted() -> None:
    """A member may wait as long as it likes; that it hangs up is what counts here."""
    async with world() as net:
        stage = Stage(net)
        calls = 0

        async def refuse(*where: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == 3:
                raise ConnectionRefusedError("full")
            return await dial(*where)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("godwit.control.rehearsal.dial", refuse)
            outcome = await stage.rehearse(5)
        assert (outcome.wanted, outcome.joined) == (5, 4)
        assert not outcome.sound
        assert "1 not let in" in str(outcome)


async def test_a_load_that_cannot_be_made_is_told() -> None:
    async with world() as net:
        stage = Stage(net)

        def stall() -> None:
            if stage.pauses == 2:
                stage.time += 5.0

        stage.meanwhile = stall
        outcome = await stage.rehearse(3, rate=5.0, seconds=4.0)
        assert outcome.sound, str(outcome)
        assert not outcome.loaded
        assert "messages could not be sent in time" in str(outcome)


async def test_what_others_say_in_the_room_does_not_count() -> None:
    async with world() as net:
        stage = Stage(net)
        await stage.rooms.place("godwit__shadow_1", "aws")
        stranger = await net.login("stranger", "aws")
        stage.meanwhile = lambda: stranger.send("PRIVMSG #godwit__shadow_1 :godwit 1 x")
        outcome = await stage.rehearse(3)
        assert outcome.sound, str(outcome)
        assert outcome.deliveries == 30


async def test_members_answer_pings() -> None:
    async with world() as net:
        stage = Stage(net)

        def ping() -> None:
            for session in net.nodes["aws"].sessions:
                session.connection.write(b"PING :tmi.twitch.tv\r\n")

        stage.meanwhile = ping
        outcome = await stage.rehearse(3)
        assert outcome.sound, str(outcome)


async def test_what_cannot_be_carried_out_is_an_error_and_leaves_nobody() -> None:
    async def nobody(login: str) -> str | None:
        return None

    async with world() as net:
        stage = Stage(net, credentials=nobody)
        with pytest.raises(LoginRefused):
            await stage.rehearse(5)
        await stage.gone()
        with pytest.raises(UnknownCluster, match="'mars'"):
            await stage.rehearsals.rehearse("mars", Load("big", 1, 1.0, 1.0))
