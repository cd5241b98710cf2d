"""The rollout drill: a network of thousands of channels moved in waves, back, and there again, under people who talk.

The drill is the operator, too: it says which streams run, approves, and is asked by the gate that turns red. Four
waves go forward until that gate pauses the rollout in the middle of the last one; everything is reversed; then all
of it goes forward to the end.
"""

from __future__ import annotations

import asyncio
import resource
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from godwit.drill.crowd import Crowd
from godwit.drill.faults import Tamper
from godwit.drill.ledger import Count, Ledger
from godwit.drill.link import SocketLink
from godwit.drill.operator import ApiError
from godwit.drill.plan import FOLLOWING, Part, Transport
from godwit.drill.rollout_api import Home, RolloutOperator, Status
from godwit.drill.rollout_bot import Bot
from godwit.drill.rollout_desk import Desk
from godwit.drill.rollout_joins import JoinBook, Joins, Tap
from godwit.drill.rollout_plan import (
    BOT,
    DESK,
    EVERYONE,
    PARTNERS,
    STAFF,
    RolloutOptions,
    crowd,
    definition,
    facts,
    network,
)
from godwit.drill.rollout_result import Findings, RolloutResult, judge
from godwit.drill.rollout_streams import Streams
from godwit.drill.rollout_ways import Way
from godwit.drill.server import Ready, Server, ServerFailed
from godwit.drill.talkers import Client
from godwit.drill.witness import Witness
from godwit.errors import GodwitError, MoveRefused

HOME, AWAY = "main", "aws"
"""Where the network is, and where it goes."""

JOINS = 20
"""JOINs that everybody but the bot may make in a window, as on today's Twitch."""

PACE = (0.3, 1.2)
"""Seconds between two messages of a talker: at least, at most."""

WAY_PATIENCE = 60.0
"""Seconds that a way, forward or back, may take besides what the bot's limit costs."""

LAST_PATIENCE = 20.0
"""Seconds to wait for what is still under way when nothing moves any more."""

HALF = 0.5
"""Share of the channels that have moved when the gate turns red."""

NEWS = 5.0
"""Seconds between two lines that say how far it is."""

Say = Callable[[str], None]
"""Takes a line for people."""


class Stuck(GodwitError):
    """Something did not come to be in time."""


async def run(options: RolloutOptions, say: Say = lambda line: None) -> RolloutResult:
    """Run a rollout drill from start to end.

    Args:
        say: takes lines that tell people what happens.

    Returns:
        What was found; a server that does not come up or end well is a problem in it, never an exception.
    """
    started = time.monotonic()
    found = Findings([])
    drill: RolloutDrill | None = None
    with tempfile.TemporaryDirectory(prefix="godwit-demo-") as directory:
        server = Server(Path(directory), _settings(options, Path(directory)))
        try:
            ready = await server.start()
        except ServerFailed as failure:
            found.problems.append(str(failure))
        else:
            drill = RolloutDrill(options, ready, found, say, started)
            try:
                await drill.run()
            finally:
                bad_end = await server.stop()
            if bad_end:
                found.problems.append(bad_end)
    own, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return judge(
        options,
        drill.count if drill else Count(),
        drill.joins if drill else Joins(),
        found,
        seconds=time.monotonic() - started,
        cpu_seconds={"server": others.ru_utime + others.ru_stime, "drill": own.ru_utime + own.ru_stime},
    )


def _settings(options: RolloutOptions, directory: Path) -> dict[str, str]:
    return {
        "store.path": str(directory / "godwit.sqlite3"),
        "limits.joins": str(JOINS),
        "limits.verified_joins": str(options.joins),
        "limits.join_window": f"{options.window:g}",
        # Of limits it is about JOINs; people talk more here than Twitch lets them.
        "limits.messages": "100000",
        "limits.elevated_messages": "100000",
        "limits.channel_interval": "0.001",
        "move.drain": "1",
        "move.notice_share": "1.0",
        "edge.reconnect_grace": "0.2",
    }


class RolloutDrill:
    """Clients and a rollout against a server that runs.

    Attributes:
        count, joins: the accounts, once `run` is over.
    """

    def __init__(self, options: RolloutOptions, ready: Ready, found: Findings, say: Say, started: float) -> None:
        self.count = Count()
        self.joins = Joins()
        self._options = options
        self._ready = ready
        self._found = found
        self._say_line = say
        self._started = started
        self._network = network(options)
        self._ledger = Ledger()
        fault = options.fault if options.fault in ("drop", "repeat", "swap") else "none"
        self._witness = Witness(self._ledger, Tamper(fault, "legacy"), time.monotonic)
        self._witness.problems = found.problems
        self._book = JoinBook(lambda name: options.joins if name == BOT else JOINS, options.window)
        self._api = RolloutOperator(ready.api, ready.admin_token, 16)
        every = frozenset((*self._network.names, *self._network.empty))
        self._streams = Streams(self._api, every, found.problems, self._say)
        self._crowd = Crowd((), self._ledger, found.problems, options.seed)
        self._homes: dict[str, Home] = {}
        self._told: dict[str, str] = {}
        self._news = 0.0

    async def run(self) -> None:
        """Connect, talk, move there, back and there again, count, and hang up."""
        async with asyncio.TaskGroup() as tasks, Desk() as desk:
            feed = tasks.create_task(self._streams.read_feed())
            stop = asyncio.Event()
            try:
                if await self._passes(self._fill(tasks)):
                    self._crowd.talk(tasks, stop, PACE)
                    await self._passes(self._roll_out(desk))
                    stop.set()
                    self._say("everybody is silent; waiting for what is still under way")
                    await self._crowd.finish(self._network.hot, LAST_PATIENCE)
                    await self._passes(self._examine())
            finally:
                stop.set()
                feed.cancel()
                self._crowd.leave()
                self._api.close()
        self._say("counting")
        self.count = self._ledger.verdict()
        self.joins = self._book.verdict()
        self._found.moves = self._streams.book.moves
        self._found.moved_live = self._streams.book.moved_live()
        self._found.ended_streams = self._streams.ended

    async def _passes(self, stage: Awaitable[None]) -> bool:
        """Go through a stage; says whether it came to its end."""
        try:
            await stage
        except (OSError, ApiError, MoveRefused, Stuck, msgspec.MsgspecError) as error:
            self._found.problems.append(str(error) or repr(error))
            return False
        return True

    # before ------------------------------------------------------------------------------------

    async def _fill(self, tasks: asyncio.TaskGroup) -> None:
        """Tell the server of its network, and bring everybody in."""
        options, net = self._options, self._network
        await self._api.add_bot(BOT)
        await self._api.tell_facts(facts(net, options.crowd))
        here = self._ready.clusters[HOME]
        addresses: dict[Transport, str] = {"tcp": here.tcp, "ws": here.ws}
        clusters = {
            address.removeprefix("ws://").rstrip("/"): name
            for name, cluster in self._ready.clusters.items()
            for address in (cluster.tcp, cluster.ws)
        }

        def tap(name: str) -> Tap:
            return Tap(self._book, name, SocketLink.open, clusters, time.monotonic)

        bot = Bot(
            Part(BOT, "follower", "tcp", FOLLOWING, net.names),
            HOME,
            addresses,
            tap(BOT).open,
            self._witness,
            tasks,
            joins=options.joins,
            window=options.window,
            flood=options.fault == "join-flood",
        )
        clients = [
            Client(part, HOME, addresses, tap(part.name).open, self._witness, tasks) for part in crowd(options, net)
        ]
        self._crowd = Crowd([bot, *clients], self._ledger, self._found.problems, options.seed)
        self._found.clients = len(self._crowd.clients)
        self._say(
            f"{len(clients)} clients and a verified bot come in; the bot joins {len(net.names)} channels, "
            f"{options.joins} in {options.window:g} s at most"
        )
        await self._crowd.connect()
        for channel in (*net.early, *net.patient):
            await self._streams.begin(channel)
        self._homes = await self._where()
        self._say(f"all are in; {len(self._streams.book.live)} streams run; people talk in {len(net.hot)} channels")

    # the rollout -------------------------------------------------------------------------------

    async def _roll_out(self, desk: Desk) -> None:
        net = self._network
        toml = definition(self._options, net, HOME, AWAY, desk.url)
        plan = await self._api.plan(toml)
        waves = ", ".join(f"{wave.name} {wave.count}" for wave in plan.waves)
        self._say(f"plan {plan.hash}: {plan.count} channels, about {plan.seconds:.0f} s: {waves}")
        way = Way(self._crowd.clients, self._homes)
        await self._api.wish("start", toml=toml, hash=plan.hash)

        async def forward(status: Status) -> None:
            await self._approve(status)
            if status.waves[status.wave].name == EVERYONE and status.done >= HALF * status.total and not desk.red:
                self._say(f"gate {DESK} turns red")
                desk.red = True

        status = await self._follow(lambda seen: seen.state == "paused" and not seen.moving, forward)
        self._say(f"paused: {status.why}")
        self._found.paused_by_gate = sum(
            turn.state == "paused" and turn.by == f"gate {DESK}" for turn in status.history
        )
        moved = await self._end_way(way)
        for channel in net.returning:
            await self._streams.begin(channel)

        self._say(f"reverse --all: {len(moved)} channels go back")
        way = Way(self._crowd.clients, self._homes)
        desk.red = False
        await self._api.wish("reverse", all=True)
        await self._follow(lambda seen: seen.state == "reversed", self._attend_back)
        back = await self._end_way(way)
        self._found.reversed = sum(self._homes[channel].cluster == HOME for channel in moved)
        if moved != back:
            self._found.problems.append(f"{len(moved)} channels had moved, {len(back)} came back")
        for channel in net.late:
            await self._streams.begin(channel)

        self._say(f"{len(back)} are back; resume")
        way = Way(self._crowd.clients, self._homes)
        await self._api.wish("resume")
        await self._follow(lambda seen: seen.state == "finished", self._attend)
        await self._end_way(way)
        self._found.finished = True

    async def _follow(self, reached: Callable[[Status], bool], attend: Callable[[Status], Awaitable[None]]) -> Status:
        """Watch the rollout until something is so, and do meanwhile what an operator would.

        Raises:
            Stuck: it does not come to be.
        """
        end = time.monotonic() + self._patience()
        version = ""
        while True:
            status = await self._api.status(version)
            self._tell(status)
            if reached(status):
                return status
            late = time.monotonic() > end
            if late or (status.state == "paused" and not status.moving):
                wave = status.waves[status.wave]
                raise Stuck(
                    f"the rollout is {status.state} ({status.why}), wave {wave.name} {wave.state}, "
                    f"{status.done} of {status.total} are done{': too slow' if late else ''}"
                )
            await attend(status)
            version = status.version

    async def _attend(self, status: Status) -> None:
        """Forward to the end: end the last streams, too, when all else is done."""
        await self._approve(status)
        if status.waves[-1].state != "pending" and status.done + len(self._streams.book.live) >= status.total:
            await self._streams.end(self._streams.book.live)

    async def _approve(self, status: Status) -> None:
        """Forward: approve the partners, and end some streams before."""
        for wave in status.waves:
            if self._options.fault == "move-live" and wave.name == STAFF and wave.state == "done":
                await self._streams.move_live(self._network.early[0], AWAY)
            if wave.name == PARTNERS and wave.waits_for_approval and status.state == "running":
                await self._streams.end(self._network.early)
                self._say(await self._api.wish("approve", wave=PARTNERS))

    async def _attend_back(self, status: Status) -> None:
        """Back: end the streams that keep the last channels when all others are back."""
        if status.done + len(self._network.returning) >= status.total:
            await self._streams.end(self._network.returning)

    # ways --------------------------------------------------------------------------------------

    def _patience(self) -> float:
        return WAY_PATIENCE + 3 * self._options.channels / self._options.told_per_second

    async def _end_way(self, way: Way) -> set[str]:
        """Wait until everybody was told of the channels that have moved, and has followed; returns these channels."""
        self._homes = await self._where()
        moved, due = way.end(self._homes)
        waiting, end = due, time.monotonic() + self._patience()
        while waiting := [one for one in waiting if not one.done]:
            if time.monotonic() > end:
                break
            self._report(lambda: f"{len(waiting)} are still to be told, or to follow")
            await asyncio.sleep(0.1)
        self._found.serverchange_expected += len(due)
        self._found.serverchange_seen += sum(one.told for one in due)
        self._found.problems.extend(one.fault for one in waiting[:3])
        return moved

    async def _where(self) -> dict[str, Home]:
        return await self._api.homes((*self._network.names, *self._network.empty))

    # after -------------------------------------------------------------------------------------

    async def _examine(self) -> None:
        """Look at the network once all is over."""
        self._say("asking the doctor, and for the report")
        found = self._found
        self._homes = await self._where()
        left = [channel for channel, home in self._homes.items() if home.cluster != AWAY]
        if left:
            found.problems.append(
                f"{len(left)} channels are not on {AWAY}: #{left[0]} is on {self._homes[left[0]].cluster}"
            )
        found.server_joins_over = int(await self._api.metric("godwit_edge_joins_over_total"))
        health = await self._api.doctor()
        found.doctor_findings = len(health.findings)
        found.problems += [f"the doctor: #{one.channel}: {one.what}" for one in health.findings[:3]]
        found.report = (await self._api.report("md")).decode()
        msgspec.json.decode(await self._api.report("json"))

    # telling people ------------------------------------------------------------------------------

    def _say(self, text: str) -> None:
        self._news = time.monotonic()
        self._say_line(f"{self._news - self._started:6.1f} s  {text}")

    def _report(self, text: Callable[[], str]) -> None:
        """Say how far it is, if nothing was said for a while."""
        if time.monotonic() - self._news >= NEWS:
            self._say(text())

    def _tell(self, status: Status) -> None:
        """Say which waves have come further, and now and then how far."""
        for wave in status.waves:
            if self._told.get(wave.name) != wave.state:
                self._told[wave.name] = wave.state
                self._say(f"wave {wave.name}: {wave.state}, {wave.done} of {wave.total}")
        self._report(
            lambda: (
                f"{status.state}: {status.done} of {status.total} channels, {status.rate:.0f}/s; "
                f"{sum(map(self._crowd.said, self._network.hot))} messages, {self._ledger.unacknowledged} under way"
            )
        )
