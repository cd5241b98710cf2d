"""A network with a rollout that is led by hand: one look after the other, without losing time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from godwit.chatlog.memory import MemoryLog
from godwit.clock import FakeClock
from godwit.control.conductor import Conductor
from godwit.control.mover import Mover
from godwit.control.ports import Presence
from godwit.control.prepared import Prepared
from godwit.control.wishes import Wishes
from godwit.rollout.values import Gate, Item, Rollout, Sample, Verdict, Wish
from godwit.settings import MoveSettings
from godwit.store.memory import MemoryStore
from godwit.values import Move, Segment, Tell
from tests.control.world import Faulty, quiet

SETTINGS = MoveSettings(lease=10.0, drain=60.0)
CLUSTERS = ("main", "aws", "event")
PLAIN = """
name = "autumn"
to = "aws"
offline_for = 0
[[wave]]
name = "staff"
channels = ["a", "b"]
[[wave]]
name = "all"
rest = true
"""


class People:
    """A crowd: who is in channels, as a test says."""

    def __init__(self) -> None:
        self.here: dict[str, Presence] = {}

    def hot(self, *channels: str, members: int = 1) -> None:
        """These channels have members that are to be told."""
        self.here |= {channel: Presence(channel, members, members) for channel in channels}

    async def presence(self, channels: Sequence[str]) -> list[Presence]:
        return [self.here.get(channel, Presence(channel)) for channel in channels]

    async def left_behind(self, channel: str, cluster: str) -> list[str]:
        return []

    async def views(self, channels: Sequence[str]) -> dict[str, list[tuple[str, Segment]]]:
        return {}


class Gates:
    """A gatekeeper that has sampled what a test says."""

    def __init__(self) -> None:
        self.watched: list[str] = []
        self._samples: dict[str, list[Sample]] = {}

    def say(self, gate: str, *verdicts: Verdict, detail: str = "so it is") -> None:
        """These are the samples from now on."""
        self._samples[gate] = [Sample(gate, 0.0, verdict, detail) for verdict in verdicts]

    def watch(self, rollout: Rollout, wave: int, gates: Sequence[Gate]) -> None:
        self.watched = [gate.name for gate in gates]

    def samples(self, rollout: str, wave: int, gate: str) -> Sequence[Sample]:
        assert gate in self.watched, f"{gate} is asked for and not watched"
        return self._samples.get(gate, [])


class Steered:
    """The clusters of `CLUSTERS`, a store, and a conductor that looks when it is told to.

    Attributes:
        retirable, repairs: what `Wishes` is told of clusters that cannot be retired yet, and of what is to be repaired.
        repaired: how often something was.
    """

    def __init__(self) -> None:
        self.clock = FakeClock(1000.0)
        self.store = MemoryStore()
        self.logs = {name: MemoryLog(name, f"{name}/1", self.clock) for name in CLUSTERS}
        self.people = People()
        self.gates = Gates()
        self.retirable: list[str] = []
        self.repairs: list[str] = []
        self.repaired = 0
        self.wishes = self._wishes(self.store)
        self.conductor = self.another("one")
        self.mover = Mover(self.store, self.logs, self.clock, SETTINGS)
        self._wished = 0

    def _wishes(self, store: Any) -> Wishes:
        async def retirable(cluster: str) -> Sequence[str]:
            return self.retirable

        async def repair(dry: bool, force: bool) -> Sequence[str]:
            self.repaired += not dry
            return self.repairs

        return Wishes(store, self.logs, self.people, self.clock, SETTINGS, retirable=retirable, repair=repair)

    def another(self, holder: str, disturb: Callable[[str, bool], None] = quiet, **options: Any) -> Conductor:
        """A conductor of which each call of the store may be disturbed."""
        store: Any = Faulty(self.store, disturb)
        homes = ("main", "aws", "event")
        return Conductor(
            store, self.logs, self.people, self.clock, self.gates, self._wishes(store),
            holder=holder, clusters=homes, **options,
        )  # fmt: skip

    async def begin(self, *channels: str) -> None:
        """Let the network begin, with these channels on `main`; what has no row is there too."""
        await self.store.set_default(Segment("main", 1, 0, "main/1"), hold_until=0.0)
        await self.store.pin(channels)

    # what operators do --------------------------------------------------------------------------

    def wish(self, verb: str, *, rollout: str = "", reason: str = "", **args: Any) -> Wish:
        """A wish that is not recorded yet."""
        self._wished += 1
        return Wish(f"w{self._wished}", verb, "olga", self.clock.now(), rollout, args, reason)

    async def do(self, verb: str, **args: Any) -> Wish:
        """Record a wish and have the conductor look; returns it as answered."""
        wish = await self.store.add_wish(self.wish(verb, **args))
        await self.conductor.look()
        answered = await self.store.wish(wish.id)
        assert answered
        return answered

    async def prepare(self, verb: str, **args: Any) -> Prepared:
        """What would be done for a wish."""
        return await self.wishes.prepare(self.wish(verb, **args))

    async def started(self, toml: str = PLAIN, **args: Any) -> str:
        """Start a rollout; returns its id."""
        wish = await self.do("start", toml=toml, replan=True, **args)
        assert wish.state == "done", wish.answer
        return wish.id

    # time ---------------------------------------------------------------------------------------

    async def carry(self) -> None:
        """Carry what has been begun as far as `draining`."""
        for move in await self.store.moves(moving=True, limit=10**6):
            await self.mover.carry(move)

    async def run(self, seconds: float, *, step: float = 1.0) -> None:
        """Let time pass, with looks, and with moves that are carried on at once."""
        for _ in range(int(seconds / step)):
            await self.conductor.look()
            await self.carry()
            self.clock.advance(step)
        await self.conductor.look()

    # what is found ------------------------------------------------------------------------------

    async def rollout(self) -> Rollout:
        """The newest one."""
        return (await self.store.rollouts())[0]

    async def item(self, channel: str) -> Item:
        """The channel's item in the newest rollout."""
        return (await self.store.items_of(channel))[0]

    async def states(self) -> dict[str, str]:
        """The state of each item of the newest rollout."""
        return {item.channel: item.state for item in await self.store.items((await self.rollout()).id, limit=10**6)}

    async def where(self, *channels: str) -> list[str]:
        """The clusters of channels."""
        return [placement.segment.cluster for placement in await self.store.placements(channels)]

    async def begun(self) -> list[Move]:
        """Every move that was ever begun, oldest first."""
        return list(reversed(await self.store.moves(limit=10**6)))

    async def told(self, cluster: str, channel: str) -> list[Tell]:
        """What was said of the rollout in a channel."""
        page = await self.logs[cluster].read(channel, 0)
        return [entry.record for entry in page.entries if isinstance(entry.record, Tell)]

    async def kinds(self) -> list[str]:
        """The kinds of the events for operators, oldest first."""
        return [event.kind for event in await self.store.feed(after=0) if event.kind.startswith("rollout.")]

    def contents(self) -> str:
        """All that the store and the logs hold."""
        logs = {
            (name, channel): (kept.head, kept.entries, kept.pinned)
            for name, log in self.logs.items()
            for channel, kept in log._channels.items()
            if kept.head
        }
        return repr((sorted(vars(self.store).items()), logs))
