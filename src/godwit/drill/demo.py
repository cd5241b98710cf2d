"""The demo: a server of its own, a crowd of clients, and every channel moved there and back under them."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from godwit.drill.crowd import Crowd, until
from godwit.drill.doors import Doors, NotListed, find
from godwit.drill.faults import Tamper
from godwit.drill.ledger import Count, Ledger, Role, add
from godwit.drill.operator import DONE, ENDED, ApiError, MoveSeen, Operator
from godwit.drill.plan import channel_names, deal, turns
from godwit.drill.result import ChannelView, DemoOptions, Result, Snapshot, judge
from godwit.drill.server import MANY, UP, Ready, Server, ServerFailed
from godwit.drill.talkers import Client, Room
from godwit.drill.witness import Witness
from godwit.errors import MoveRefused

HOME, AWAY = "main", "aws"
"""The clusters between which channels move."""

MOVING = 8
"""Channels that move at once."""

PACE = (0.1, 0.5)
"""Seconds between two messages of a talker: at least, at most."""

CALM = 10
"""Messages in a channel before its first move, between two of its moves, and after the last."""

MOVE_PATIENCE = 30.0
"""Seconds that a move may take, with followers back and everybody told."""

LAST_PATIENCE = 10.0
"""Seconds to wait, with nobody talking any more, for acknowledgements and lines that are still missing."""

FRESH = 2.0
"""The live table expects messages only this many seconds after their acknowledgement."""


SETTINGS = {"limits.preset": "off", "move.drain": "1", "edge.reconnect_grace": "0.2", "edge.drain_spread": "0.2"}
"""Of the server, or of every process."""


async def run(
    options: DemoOptions, report: Callable[[Snapshot], None] | None = None, keep: Path | None = None
) -> Result:
    """Run a demo from start to end.

    Args:
        report: called a few times a second with how it stands.
        keep: a directory for the files of a network of many processes; without one they go with it.

    Returns:
        What was found; a server that does not come up or end well is a problem in it, never an exception.
    """
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="godwit-demo-") as directory:
        server = _server(options, Path(directory), keep or Path(directory, "nodes"))
        if report is not None:
            report(Snapshot("starting", 0.0, 0, (), Count()))
        try:
            ready = await server.start()
        except ServerFailed as failure:
            return judge(
                options,
                Count(),
                moves=0,
                told=(0, 0),
                seconds=time.monotonic() - started,
                problems=[str(failure)],
            )
        drill = Drill(options, ready, report, started)
        try:
            await drill.run()
        finally:
            bad_end = await server.stop()
        if bad_end:
            drill.problems.append(bad_end)
        return drill.result()


def _server(options: DemoOptions, directory: Path, files: Path) -> Server:
    """What the demo runs over.

    Args:
        files: of a network of many processes.
    """
    if options.nodes:
        return Server(directory, SETTINGS, options.fault, (*UP, "--dir", str(files)), MANY)
    return Server(directory, {"store.path": str(directory / "godwit.sqlite3"), **SETTINGS}, options.fault)


class MoveRow(msgspec.Struct):
    """One move of the plan and how far it is.

    Attributes:
        refused: why it was last refused; it is asked for again.
    """

    channel: str
    source: str
    target: str
    seen: MoveSeen | None = None
    refused: str = ""

    @property
    def state(self) -> str:
        """Its state, for people."""
        return self.seen.state if self.seen is not None else "asking"


class Drill:
    """Clients and moves against a server that runs."""

    def __init__(
        self, options: DemoOptions, ready: Ready, report: Callable[[Snapshot], None] | None, started: float
    ) -> None:
        self._options = options
        self._ready = ready
        self._report = report
        self._started = started
        self._phase = "connecting"
        self._ledger = Ledger()
        victim: Role = "legacy" if options.legacy or not options.followers else "follower"
        self._witness = Witness(self._ledger, Tamper(options.fault, victim), time.monotonic)
        self._crowd = Crowd((), self._ledger, self._witness.problems, options.seed)
        self._channels = channel_names(options.channels)
        self._rows: list[MoveRow] = []
        self._told = [0, 0]
        self._moving = asyncio.Semaphore(MOVING)
        self._operator = Operator(ready.api, ready.admin_token, MOVING)
        self._doors: Doors | None = None
        self._counts: dict[str, Count] = {}
        self._verdict = Count()

    @property
    def problems(self) -> list[str]:
        """What went wrong outside of the account."""
        return self._witness.problems

    async def run(self) -> None:
        """Connect, talk, move, wait until all is said, count, and hang up."""
        async with asyncio.TaskGroup() as tasks:
            reporting = tasks.create_task(self._keep_reporting()) if self._report is not None else None
            try:
                if await self._connect(tasks):
                    await self._talk_and_move()
                    await self._finish()
            finally:
                self._phase = "counting"
                self._crowd.leave()
                self._operator.close()
                if reporting is not None:
                    reporting.cancel()
        self._verdict = self._ledger.verdict()
        if self._report is not None:
            self._phase = "done"
            self._counts = {channel: self._ledger.count(channel) for channel in self._channels}
            self._report(self._snapshot())

    def result(self) -> Result:
        """The result, once `run` is over."""
        return judge(
            self._options,
            self._verdict,
            moves=sum(row.state in DONE for row in self._rows),
            told=(self._told[0], self._told[1]),
            seconds=time.monotonic() - self._started,
            problems=self.problems,
            nodes=self._doors.nodes() if self._doors is not None else (),
        )

    # Stages ----------------------------------------------------------------------------------

    async def _connect(self, tasks: asyncio.TaskGroup) -> bool:
        """Bring everybody in; says whether the directory told where."""
        options = self._options
        parts = deal(options.channels, options.talkers, options.followers, options.legacy)
        try:
            doors = await find(self._operator, self._ready, (HOME, AWAY), turns(parts, options.seed))
        except (OSError, ApiError, NotListed, msgspec.MsgspecError) as error:
            self.problems.append(f"the directory: {error}")
            return False
        self._doors = doors
        clients = [
            Client(part, HOME, doors.home(part, HOME), doors.open, self._witness, tasks, doors.away(part, HOME))
            for part in parts
        ]
        self._crowd = Crowd(clients, self._ledger, self.problems, options.seed)
        await self._crowd.connect()
        return True

    async def _talk_and_move(self) -> None:
        self._phase = "talking"
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as talking:
            self._crowd.talk(talking, stop, PACE)
            try:
                await self._calm(*self._channels)
                self._phase = "moving"
                async with asyncio.TaskGroup() as moving:
                    for channel in self._channels:
                        moving.create_task(self._move_there_and_back(channel))
                await self._calm(*self._channels)
            finally:
                stop.set()

    async def _calm(self, *channels: str) -> None:
        """Let people talk for a while in each channel."""
        said = self._crowd.said
        enough = {channel: said(channel) + CALM for channel in channels}
        await until(lambda: all(said(channel) >= number for channel, number in enough.items()), LAST_PATIENCE)

    async def _finish(self) -> None:
        """Wait for what is still under way, and see how the moves and the processes stand."""
        self._phase = "finishing"
        await self._crowd.finish(self._channels, LAST_PATIENCE)
        self._look_at_processes()
        for row in self._rows:
            if row.seen is not None:
                row.seen = await self._look(row.seen)
                if row.state not in DONE:
                    self.problems.append(f"the move of #{row.channel} to {row.target} stands at {row.state}")

    def _look_at_processes(self) -> None:
        """Nobody ends here, and every edge has something to do."""
        try:
            ended = self._ready.ended()
        except (OSError, msgspec.MsgspecError) as error:
            self.problems.append(f"the processes: {error}")
            return
        self.problems.extend(f"{name} ended by itself and was started again" for name in ended)
        assert self._doors is not None
        clients = self._crowd.clients
        came = {HOME: len(clients), AWAY: sum(client.part.role == "follower" for client in clients)}
        for cluster, number in came.items():
            if cluster == HOME or self._options.moves:
                self.problems.extend(f"nobody came to {name}" for name in self._doors.unused(cluster, number))

    # Moves -----------------------------------------------------------------------------------

    async def _move_there_and_back(self, channel: str) -> None:
        for number in range(self._options.moves):
            source, target = (HOME, AWAY) if number % 2 == 0 else (AWAY, HOME)
            if number:
                await self._calm(channel)
            async with self._moving:
                row = MoveRow(channel, source, target)
                self._rows.append(row)
                try:
                    async with asyncio.timeout(MOVE_PATIENCE):
                        await self._move(row)
                except (OSError, TimeoutError, ApiError, msgspec.MsgspecError) as error:
                    why = row.refused if row.seen is None and row.refused else repr(error)
                    self.problems.append(f"the move of #{channel} to {target} stands at {row.state}: {why}")
                    return

    async def _move(self, row: MoveRow) -> None:
        members = [(client, client.rooms[row.channel]) for client in self._crowd.clients if row.channel in client.rooms]
        due = [(client, room, room.changes[row.source]) for client, room in members if row.source in room.joined]
        row.seen = await self._wish(row)
        while row.seen.state not in ENDED:
            row.seen = await self._operator.wait_step(row.seen)
        if row.seen.state not in DONE:
            self.problems.append(f"the move of #{row.channel} to {row.target} {row.seen.state}: {row.seen.error}")
            return
        followers = [(client, room) for client, room in members if client.part.role == "follower"]
        await until(
            lambda: (
                all(room.changes[row.source] > before for _, room, before in due)
                and all(_has_followed(room, row.target) for _, room in followers)
            ),
            LAST_PATIENCE,
        )
        untold = [client.part.name for client, room, before in due if room.changes[row.source] <= before]
        behind = [client.part.name for client, room in followers if not _has_followed(room, row.target)]
        self._told[0] += len(due)
        self._told[1] += len(due) - len(untold)
        if untold:
            self.problems.append(f"#{row.channel} to {row.target}: no SERVERCHANGE for {', '.join(untold[:3])}")
        if behind:
            self.problems.append(f"#{row.channel} to {row.target}: not followed by {', '.join(behind[:3])}")

    async def _wish(self, row: MoveRow) -> MoveSeen:
        """Ask for the move; while the one before is not settled that is refused."""
        while True:
            try:
                return await self._operator.move(row.channel, row.target)
            except MoveRefused as refusal:
                row.refused = str(refusal)
                await asyncio.sleep(0.1)

    async def _look(self, seen: MoveSeen) -> MoveSeen:
        try:
            return await self._operator.look(seen)
        except (OSError, ApiError) as error:
            self.problems.append(f"the API does not tell of move {seen.id}: {error!r}")
            return seen

    # Counting --------------------------------------------------------------------------------

    async def _keep_reporting(self) -> None:
        """Count one or two channels a turn, so that counting never holds the clients up for long."""
        while True:
            for first in range(0, len(self._channels), 2):
                before = time.monotonic() - FRESH
                for channel in self._channels[first : first + 2]:
                    self._counts[channel] = self._ledger.count(channel, before)
                if self._report is not None:
                    self._report(self._snapshot())
                await asyncio.sleep(0.25)

    def _snapshot(self) -> Snapshot:
        views = tuple(
            ChannelView(
                channel,
                tuple((row.target, row.state) for row in self._rows if row.channel == channel),
                self._counts.get(channel, Count()),
            )
            for channel in self._channels
        )
        return Snapshot(
            self._phase,
            time.monotonic() - self._started,
            sum(client.is_in_all_rooms for client in self._crowd.clients),
            views,
            add(view.count for view in views),
        )


def _has_followed(room: Room, target: str) -> bool:
    return room.listening == target and room.joined == {target}
