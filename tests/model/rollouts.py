"""A run in which a rollout moves the room with its people, and other channels, while everything goes wrong.

The promises about chat are checked as in every run. Beside them: budgets are never exceeded, a live channel is never
sealed without force, an aborted rollout begins nothing, states follow the table, and at the end everything is where
the rollout said, or back where it came from.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from godwit.control.conductor import Conductor
from godwit.control.ports import Presence
from godwit.control.wishes import Wishes
from godwit.errors import StoreUnavailable
from godwit.rollout import progress
from godwit.rollout.values import Advance, Budget, Facts, Gate, Rollout, Sample, Wish
from godwit.rollout.verbs import ARROWS
from godwit.values import Move, MoveState, Segment
from tests.model.controllers import Process
from tests.model.schedule import at_once
from tests.model.world import CLUSTERS, TALK, World

CHANNELS = tuple(f"c{number}" for number in range(9))
FILE = """
name = "r"
to = "aws"
{sources}
offline_for = {offline}
{notice}
[budget]
in_flight = {in_flight}
cold_in_flight = {cold}
hot_per_second = {hot}
cold_per_second = 3
[[wave]]
name = "staff"
channels = ["c0", "c1", "room"]
on_failure = "{failure}"
{gates}
[[wave]]
name = "partners"
tiers = ["partner"]
{gates}
[[wave]]
name = "all"
rest = true
mandatory = {mandatory}
"""
GATE = """
[[wave.gate]]
kind = "metric"
name = "{name}"
value = "delivery_p99"
at_most = 1
when = "{when}"
every = 1
samples = 2
fails = 2
"""


class Crowd:
    """Who is where, as the edges of the run know it; other channels are cold or hot by their names."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def presence(self, channels: Sequence[str]) -> list[Presence]:
        if self._world.rng.random() < self._world.chances.store_fails:
            raise StoreUnavailable("no edge answers")
        room = sum(len(edge.members) for edge in self._world.edges)
        return [
            Presence(channel, room, room, self._world.now())
            if channel == self._world.channel
            else Presence(channel, 1, int(channel in ("c0", "c3", "c6")))
            for channel in channels
        ]

    async def left_behind(self, channel: str, cluster: str) -> list[str]:
        return []

    async def views(self, channels: Sequence[str]) -> dict[str, list[tuple[str, Segment]]]:
        return {}


class Gatekeeper:
    """Answers at random, until all is well."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._watched: set[str] = set()

    def watch(self, rollout: Rollout, wave: int, gates: Sequence[Gate]) -> None:
        self._watched = {gate.name for gate in gates}

    def samples(self, rollout: str, wave: int, gate: str) -> Sequence[Sample]:
        assert gate in self._watched, f"{gate} is asked for and not watched"
        now, roll = self._world.now(), self._world.rng.random()
        if not self._world.healed and roll < 0.1:
            return []
        failed = not self._world.healed and roll < 0.15
        return [Sample(gate, now, "fail" if failed else "pass", "at random")] * 2


class Leading(Process):
    """The process of a controller: the real conductor and the real mover."""

    def __init__(self, world: RolloutWorld, deadly: float, holder: str) -> None:
        super().__init__(world, deadly)
        self.holder = holder
        clock, crowd = world.schedule.clock, Crowd(world)

        async def nothing(*_: Any) -> Sequence[str]:
            return ()

        wishes = Wishes(self.store, self.logs, crowd, clock, world.move_settings, retirable=nothing, repair=nothing)
        self.conductor = Conductor(
            self.store,
            self.logs,
            crowd,
            clock,
            Gatekeeper(world),
            wishes,
            holder=holder,
            clusters=CLUSTERS,
        )
        self._again = 0.0

    def wake(self) -> None:
        now = self.world.now()
        if not self.alive:
            return
        if now >= self._again and "look" not in self.busy:
            self.begin("look", self._look())
        if not self.conductor.leader.leads:
            return
        moves: list[Move] = at_once(self.world.store.real.moves(unfinished=True, limit=1000))
        together = [move for move in moves if move.cold and move.state != "draining" and move.id not in self.busy]
        if together:
            self.begin(together[0].id, self._carry(together))
        for move in moves:
            if move.state == "draining":
                if now >= move.history[-1][1] + self.world.move_settings.drain:
                    self.begin(move.id, self.mover.settle(move))
            elif not move.cold:
                self.begin(move.id, self._carry([move]))

    async def _look(self) -> None:
        self._again = 0.0
        self._again = self.world.now() + await self.conductor.look()

    async def _carry(self, moves: Sequence[Move]) -> None:
        for carried in await self.mover.carry_all(moves):
            if carried.error:
                self.world.visit(f"controller:{type(carried.error).__name__}")


class RolloutWorld(World):
    """A world with ten channels and one rollout."""

    controllers: list[Leading]  # type: ignore[assignment]

    def controller(self, deadly: float) -> Process:
        heirs = self.__dict__.setdefault("_heirs", [])
        return Leading(self, deadly, heirs.pop() if heirs else self.name("holder"))

    def replace(self, controller: Process, *, keep: bool = False) -> None:
        """Mostly the process is started again under its own name; otherwise another one waits for the lease."""
        if isinstance(controller, Leading) and not keep and self.rng.random() < 0.8:
            self.__dict__.setdefault("_heirs", []).append(controller.holder)
        super().replace(controller, keep=keep)

    # what happens -------------------------------------------------------------------------------

    def _script(self) -> None:
        rng, real = self.rng, self.store.real
        self.problems: list[str] = []
        self._begun: list[tuple[float, bool]] = []
        self._aborted: set[str] = set()
        self._states: dict[str, str] = {}
        self._budgets: list[Budget] = []
        self._origins: dict[str, str] = {}
        for controller in self.controllers:
            controller.deadly = rng.choice((0.0, 0.1, 0.3)) if not self.calm else 0.0
        self._wishes: list[str] = []
        self._all_back = False
        at_once(real.pin([self.channel, *rng.sample(CHANNELS, 6)]))
        for channel in CHANNELS:
            tier = rng.choice(("", "partner", "partner"))
            at_once(real.set_facts([Facts(channel, tier, rng.choice(("", "", "in", "out")))]))  # type: ignore[arg-type]
        self._watch()
        super()._script()
        self._at(rng.uniform(1, 4), self._start)
        for _ in range(rng.choice((0, 0, 3, 12))):
            self._at(rng.uniform(5, TALK), self._meddle)
        for _ in range(rng.choice((0, 3, 12))):
            self._at(rng.uniform(1, TALK), self._flip)
        self._at(TALK + 1, self._finish)

    def _wish(self, *, evacuate: bool = False, rogue: bool = False, target: str = "") -> None:
        """Only the rollout moves channels here, but for what an operator moves by hand now and then."""
        if evacuate or (not rogue and self.rng.random() < 0.3):
            super()._wish(evacuate=evacuate, rogue=rogue, target=target)

    def _script_faults(self) -> None:
        rng = self.rng
        for _ in range(rng.choice((0, 0, 1, 3))):
            self._at(rng.uniform(5, TALK), self._edge_dies)
        for _ in range(rng.choice((0, 0, 1, 2))):
            self._at(rng.uniform(5, TALK), self._log_back_soon)
        for _ in range(rng.choice((0, 0, 1))):
            self._at(rng.uniform(5, TALK), self._store_away)

    def _log_back_soon(self) -> None:
        log = self.logs[self.rng.choice(CLUSTERS)]
        log.away = True
        self.visit("log away")
        self.schedule.after(self.rng.choice((1.0, 5.0, 20.0)), lambda: setattr(log, "away", False))

    def _start(self) -> None:
        rng = self.rng
        gates = "".join(
            GATE.format(name=f"g{number}", when=rng.choice(("before", "during", "after")))
            for number in range(rng.choice((0, 0, 1, 2)))
        )
        waves = FILE if rng.random() < 0.6 else re.sub(r"(?s)\[\[wave]].*(?=\[\[wave]])", "", FILE)
        text = waves.format(
            sources=rng.choice(('from = ["main"]', "")),
            offline=rng.choice((0, 3)),
            notice=rng.choice(("", 'notice = "soon on {cluster}"\nnotice_before = 2')),
            in_flight=rng.choice((1, 2, 5)),
            cold=rng.choice((1, 3, 10)),
            hot=rng.choice((0.5, 1, 3)),
            failure=rng.choice(("pause", "reverse", "continue")),
            mandatory=rng.choice(("true", "false")),
            gates=gates,
        )
        self._say("start", {"toml": text, "replan": True, "all_at_once": rng.random() < 0.1})

    def _say(self, verb: str, args: dict[str, Any], *, rollout: str = "", reason: str = "a run") -> None:
        wish = Wish(self.name("wish"), verb, "operator", self.now(), rollout, args, reason)
        self._wishes.append(wish.id)
        at_once(self.store.real.add_wish(wish))
        self.visit(f"wish {verb}")

    def rollout(self) -> Rollout | None:
        found: list[Rollout] = at_once(self.store.real.rollouts())
        return found[0] if found else None

    def _meddle(self) -> None:
        """An operator wishes for something, whether it can be or not."""
        rng, rollout = self.rng, self.rollout()
        channel = rng.choice((*CHANNELS, self.channel))
        network: list[Callable[[], None]] = [
            lambda: self._say("hold", {"channel": channel}),
            lambda: self._say("release", {"channel": channel}),
        ]
        if rollout is None:
            rng.choice(network)()
            return
        force = {"force": True} if rng.random() < 0.2 else {}
        one = rollout.id
        verbs: list[tuple[str, dict[str, Any]]] = [
            ("pause", {}), ("resume", {}), ("resume", {}), ("resume", {}), ("abort", {}),
            ("skip", {"channel": channel}), ("retry", {"channel": channel}), ("reverse", {"all": True, **force}),
            ("reverse", {"wave": rng.choice(("staff", "all")), **force}), ("reverse", {"channel": channel}),
            ("set", {"budget": {"in_flight": rng.randint(1, 4)}}),
            ("approve", {"wave": "staff", "gate": "g0"}), ("issue-add", {"text": "odd"}),
        ]  # fmt: skip
        if rng.random() < 0.2:
            rng.choice(network)()
        else:
            verb, args = rng.choice(verbs)
            self._say(verb, args, rollout=one)

    def _flip(self) -> None:
        """A stream begins, and ends after a while."""
        channel = self.rng.choice((*CHANNELS, self.channel))
        at_once(self.store.real.set_live(channel, True, self.now()))
        later = self.rng.uniform(0.5, 20.0)

        def end() -> None:
            at_once(self.store.real.set_live(channel, False, self.now()))

        self.schedule.after(later, end)

    def _finish(self) -> None:
        """All is well again: nothing is held or live any more, and the operator sees the rollout through."""
        real, rollout = self.store.real, self.rollout()
        if at_once(real.wishes(new=True)):
            self.schedule.after(1.0, self._finish)
            return
        for hold in at_once(real.holds()):
            at_once(real.release_hold(hold.channel))
        for channel in (*CHANNELS, self.channel):
            at_once(real.set_live(channel, False, self.now()))
        if rollout is None:
            return
        for issue in at_once(real.issues(rollout.id, open_only=True)):
            self._say("issue-resolve", {"issue": issue.id}, rollout=rollout.id)
        if self.seed % 2 and rollout.state != "reversing":
            self._say("reverse", {"all": True, "force": True}, rollout=rollout.id)
            self._all_back = True
        elif rollout.state in ("paused", "reversed"):
            self._say("resume", {}, rollout=rollout.id)
        self.schedule.after(20.0, self._see_through)

    def _see_through(self) -> None:
        rollout = self.rollout()
        if rollout and rollout.state == "paused":
            self._say("resume", {}, rollout=rollout.id)
        elif rollout and rollout.state == "finished":
            for item in at_once(self.store.real.items(rollout.id, state="skipped")):
                self._say("retry", {"channel": item.channel}, rollout=rollout.id)

    # what is watched ----------------------------------------------------------------------------

    def _watch(self) -> None:
        """Look at every write of the store as it happens."""
        real = self.store.real
        advance, journal = real.advance, real.journal_many

        async def advancing(one: Advance, *, term: int) -> Rollout | None:
            self._before(one)
            written = await advance(one, term=term)
            self._after(one, written)
            return written

        async def journaling(steps: Sequence[tuple[Move, MoveState]], now: float) -> list[Move | None]:
            written = await journal(steps, now)
            for move in written:
                if move and move.channel == self.channel and move.state in ("sealing", "sealed", "draining"):
                    self.late.clear()  # who joined early on the new cluster heard nothing so far (rule C12)
                if move and move.state == "sealing" and not move.forced and at_once(real.is_live(move.channel)):
                    self.problems.append(f"#{move.channel} is sealed while it is live")
            return written

        real.advance = advancing  # type: ignore[method-assign,assignment]
        real.journal_many = journaling  # type: ignore[method-assign]

    def _before(self, one: Advance) -> None:
        for item in one.items:
            self._origins.setdefault(item.channel, item.origin)

    def _after(self, one: Advance, written: Rollout | None) -> None:
        now = self.now()
        if written is not None:
            before = self._states.get(written.id, written.state)
            if before != written.state:
                self.visit(f"rollout {before}->{written.state}")
                if written.state not in ARROWS[before]:  # type: ignore[index]
                    self.problems.append(f"the rollout went from {before} to {written.state}")
            self._states[written.id] = written.state
            self._budgets.append(written.budget)
            for progress_of in written.waves:
                self.visit(f"wave {progress_of.state}")
        rollout = self.rollout()
        if not one.begin or rollout is None:
            return
        if rollout.state not in ("running", "reversing"):
            self.problems.append(f"moves begin although the rollout is {rollout.state}")
        self._begun += [(now, move.cold) for move in one.begin]
        moving = at_once(self.store.real.items(rollout.id, state="moving"))
        for cold, most in ((False, "in_flight"), (True, "cold_in_flight")):
            under_way = sum(item.cold is cold for item in moving)
            if under_way > max(getattr(budget, most) for budget in self._budgets[-2:]):
                self.problems.append(f"{under_way} moves under way, more than {most} allows")
        for cold, rate in ((False, rollout.budget.hot_per_second), (True, rollout.budget.cold_per_second)):
            for window in (1.0, 5.0, 20.0):
                count = sum(when > now - window and kind is cold for when, kind in self._begun)
                if count > max(rate, 1.0) + rate * window + 1e-6:
                    self.problems.append(f"{count} moves began within {window:g} s, more than {rate:g} a second")

    # the verdict --------------------------------------------------------------------------------

    def play(self) -> list[str]:
        problems = super().play()
        return [*self.problems, *self._ended(), *problems]

    def _ended(self) -> list[str]:
        real, rollout = self.store.real, self.rollout()
        problems = []
        for wish_id in self._wishes:
            wish: Wish = at_once(real.wish(wish_id))
            self.visit(f"wish {wish.verb} {wish.state}")
            if wish.state == "new":
                problems.append(f"wish {wish.verb} was never answered")
        if rollout is None:
            return problems
        if rollout.state not in ("finished", "reversed", "aborted"):
            problems.append(f"the rollout is still {rollout.state}: {rollout.why}, wave {rollout.wave} {rollout.waves}")
        self.visit(f"rollout ends {rollout.state}")
        if self._all_back and rollout.state != "reversed":
            problems.append(f"everything was to go back, and the rollout is {rollout.state}")
        items = at_once(real.items(rollout.id))
        for item in items:
            where = at_once(real.placement(item.channel)).segment.cluster
            wanted = progress.destination(item, rollout.definition)
            by_hand = any(not move.rollout for move in at_once(real.moves(channel=item.channel)))
            if item.state in ("waiting", "moving") and rollout.state != "aborted":
                problems.append(f"#{item.channel} is {item.state} in a rollout that is {rollout.state}")
            if item.state == "done" and where != wanted and not by_hand:
                problems.append(f"#{item.channel} is on {where} and not on {wanted}")
            if rollout.state == "reversed" and item.state != "skipped" and where != item.origin and not by_hand:
                problems.append(f"#{item.channel} was not brought back to {item.origin}: {item}")
        default = at_once(real.default_placement())
        if rollout.state == "reversed" and rollout.default_before and default.cluster != rollout.default_before.cluster:
            problems.append("the default placement was not brought back")
        forward = rollout.state == "finished" and not rollout.default_back
        if forward and all(item.goal == "there" for item in items) and default.cluster == "main":
            problems.append("the default placement was left behind")
        return problems
