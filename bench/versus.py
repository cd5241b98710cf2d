"""Servers beside each other: the same crowd on each, in turn, several rounds; medians count."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from itertools import count
from statistics import median

from bench import machine
from bench.kernel import PLAIN, Kernel, Said, tagged
from bench.moderation import furnish
from bench.targets import LOAD_CORE, Missing, Target, godwit, inspircd, nats, ngircd, node, pin
from godwit.load.crowd import Crowd, LoadFailed, Shape
from godwit.load.dialects import Dialect
from godwit.load.loops import Result, closed, prime, steady

Start = Callable[[], AbstractContextManager[Target]]

KERNEL = "kernel"

_names = count()


def base(name: str) -> str:
    """The server's own name: `godwit` of `godwit+ws`."""
    return name.partition("+")[0]


class Running:
    """Servers, started when they are wanted for the first time and ended together.

    Args:
        quiet: see `inspircd`.

    Attributes:
        missing: why a server is not there, by name.
    """

    def __init__(self, quiet: bool = False) -> None:
        self.missing: dict[str, str] = {}
        self._starts: dict[str, Start] = {
            "godwit": godwit,
            "inspircd": inspircd(quiet),
            "ngircd": ngircd,
            "nats": nats,
            "node": node,
        }
        self._stack = ExitStack()
        self._targets: dict[str, Target] = {}
        self._tagged: Said | None = None

    def __enter__(self) -> Running:
        """Take the load's core."""
        self._stack.callback(os.sched_setaffinity, 0, os.sched_getaffinity(0))
        pin(LOAD_CORE)
        return self

    def __exit__(self, *error: object) -> None:
        """End all servers."""
        self._stack.close()

    def get(self, name: str) -> Target:
        """A server that runs.

        Raises:
            Missing: it is not installed.
        """
        if name in self.missing:
            raise Missing(self.missing[name])
        if base(name) not in self._targets:
            self._targets[base(name)] = self._stack.enter_context(self._starts[base(name)]())
        return self._targets[base(name)]

    def known(self, name: str) -> Target | None:
        """A server if it runs; the kernel is none."""
        return self._targets.get(base(name))

    def tagged(self) -> Said:
        """What Godwit sends members with tags and commands."""
        if self._tagged is None:
            self._tagged = tagged(self.get("godwit").tcp)
        return self._tagged


def crowd_on(target: Target, name: str, shape: Shape) -> Crowd:
    """A crowd whose names nobody on that server has had."""
    framed = "+ws" in name
    dialect = Dialect(target.dialect, tagged="+tags" in name, framed=framed)
    return Crowd(target.ws if framed else target.tcp, dialect, replace(shape, name=f"b{next(_names)}x"))


@contextmanager
def talking(target: Target, name: str, shape: Shape) -> Iterator[Crowd]:
    """A crowd that is in, and each of whose senders has spoken; Godwit's rooms are moderated."""
    if ours := target.name == "godwit":
        shape = replace(shape, channel=shape.channel or f"r{shape.rooms}m{shape.members}x")
    crowd = crowd_on(target, name, shape)
    try:
        if ours:
            furnish(target, crowd)
        crowd.connect(target.at_once)
        prime(crowd)
        yield crowd
    finally:
        crowd.close()


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says about a comparison; what is empty stands for the scenario's own.

    Attributes:
        windows: lines under way.
        rates: lines a second.
        only: servers, by name, as `godwit`, which is `godwit+tags` and `godwit+ws`, too, or one of these.
        rounds: how often all of it is done.
        quick: only see that it works.
        say: is told of progress.
        shared: servers that run already, for all scenarios; else each has its own, as figures need it.
    """

    windows: tuple[int, ...] = ()
    rates: tuple[float, ...] = ()
    only: tuple[str, ...] = ()
    members: int = 0
    seconds: float = 1.5
    rounds: int = 3
    quick: bool = False
    say: Callable[[str], None] = field(default=partial(print, flush=True))
    shared: Running | None = None

    def running(self, quiet: bool = False) -> AbstractContextManager[Running]:
        """Servers for one scenario; see `inspircd` for quiet."""
        return Running(quiet) if self.shared is None else nullcontext(self.shared)


@dataclass(frozen=True, slots=True)
class Row:
    """What one server did in one setting.

    Attributes:
        setting: such as `W=30` or `20/s`.
        note: why there are no figures, or what is to be known about them.
        figures: by name; medians of the runs.
        exact: whether every run delivered everything once and in order.
    """

    scenario: str
    server: str
    setting: str
    note: str = ""
    version: str = ""
    figures: dict[str, float] = field(default_factory=dict)
    runs: int = 0
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Comparison:
    """A scenario: a crowd, and what is done to it.

    Attributes:
        servers: in the order in which they take turns; `+tags`: members ask for tags; `+ws`: over WebSocket.
        windows: lines under way, in closed loops.
        rates: lines a second, in open loops.
        quiet: see `inspircd`.
        shortest: seconds of a run at least.
    """

    name: str
    title: str
    shape: Shape
    servers: tuple[str, ...]
    windows: tuple[int, ...] = ()
    rates: tuple[float, ...] = ()
    quiet: bool = False
    warm_up: float = 0.5
    shortest: float = 0.0

    def run(self, options: Options) -> list[Row]:
        """Measure."""
        shape = self._shape(options)
        windows: Sequence[int] = options.windows or self.windows if not options.rates else ()
        rates: Sequence[float] = options.rates or self.rates if not options.windows else ()
        if options.quick:
            windows, rates = [min(window, 30) for window in windows[-1:]], rates[:1]
        seconds = max(options.seconds, 0.0 if options.quick else self.shortest)
        found: dict[tuple[str, str], list[tuple[Target | None, Result]]] = {}
        servers = self.chosen(options)
        with options.running(self.quiet) as running:
            for turn in range(1 if options.quick else options.rounds):
                for name in servers:
                    if name in running.missing:
                        continue
                    try:
                        for setting, result in self._round(name, running, shape, windows, rates, seconds):
                            found.setdefault((name, setting), []).append((running.known(name), result))
                            options.say(f"  {self.name} round {turn + 1}: {name} {setting}: {shown(result)}")
                    except (Missing, LoadFailed) as error:
                        running.missing[name] = str(error)
        rows = [Row(self.name, name, "", note) for name, note in running.missing.items()]
        return rows + [self._row(name, setting, runs) for (name, setting), runs in found.items()]

    def chosen(self, options: Options) -> list[str]:
        """Its servers that are wanted."""
        return [name for name in self.servers if not options.only or {name, base(name)} & set(options.only)]

    def _shape(self, options: Options) -> Shape:
        shape = self.shape
        if options.members:
            shape = replace(shape, members=options.members, senders=min(shape.senders, options.members - 1))
        if options.quick:
            shape = replace(
                shape, rooms=min(shape.rooms, 5), members=min(shape.members, 20), senders=min(shape.senders, 3)
            )
        return shape

    def _round(
        self,
        name: str,
        running: Running,
        shape: Shape,
        windows: Sequence[int],
        rates: Sequence[float],
        seconds: float,
    ) -> Iterator[tuple[str, Result]]:
        if base(name) == KERNEL:
            said = running.tagged() if "+tags" in name else PLAIN
            each = [max(1, window // shape.rooms) for window in windows]
            found = Kernel(shape, said).run(each, seconds, self.warm_up)
            yield from ((f"W={window}", result) for window, result in zip(windows, found, strict=True))
            return
        target = running.get(name)
        with talking(target, name, shape) as crowd:
            for window in windows:
                yield f"W={window}", closed(crowd, window, seconds, self.warm_up, target.cpu)
            for rate in rates:
                yield f"{rate:g}/s", steady(crowd, rate, seconds, self.warm_up, target.cpu)

    def _row(self, name: str, setting: str, runs: list[tuple[Target | None, Result]]) -> Row:
        results = [result for _, result in runs]
        target = runs[0][0]
        version = target.version if target else machine.describe()["system"]
        note = "load-bound" if sum(result.load_bound for result in results) * 2 > len(results) else ""
        figures = {key: median(figures_of(result)[key] for result in results) for key in figures_of(results[0])}
        exact = all(result.exact for result in results)
        return Row(self.name, name, setting, note, version, figures, len(results), exact)


def figures_of(result: Result) -> dict[str, float]:
    """What a run is judged by."""
    return {
        "deliveries_per_s": result.deliveries_per_s,
        "cpu_us": result.cpu_us,
        "cpu_share": result.cpu_share,
        "load_busy": result.load_busy,
        "p50_ms": result.p50_ms,
        "p99_ms": result.p99_ms,
        "max_ms": result.max_ms,
        "lost": float(result.lost),
        "repeated": float(result.repeated),
        "misordered": float(result.misordered),
    }


def shown(result: Result) -> str:
    """A run in one line."""
    latency = f", p50 {result.p50_ms:.3g} p99 {result.p99_ms:.3g} ms" if result.p50_ms else ""
    bound = " LOAD-BOUND" if result.load_bound else ""
    wrong = "" if result.exact else f" NOT EXACT: { ({k: v for k, v in asdict(result).items() if k in WRONG and v}) }"
    return (
        f"{result.deliveries_per_s:,.0f}/s, {result.cpu_us:.3f} us each, server {result.cpu_share:.0%}"
        f"{latency}, load {result.load_busy:.0%}{bound}{wrong}"
    )


WRONG = ("lost", "repeated", "misordered", "cut", "notices")

PEERS = (KERNEL, "godwit", "inspircd")

ROOMS = Shape(rooms=1000, members=10, senders=1)

HALL = Shape(members=10_000, senders=10)

COMPARISONS = {
    one.name: one
    for one in (
        Comparison("a", "one room of 1,000", Shape(), (*PEERS, "ngircd", "nats"), windows=(1, 10, 30, 100)),
        Comparison(
            "steady", "one room of 1,000, 2,000 lines a second", Shape(), PEERS[1:], rates=(2000,), shortest=3.0
        ),
        Comparison("b", "1,000 rooms of 10", ROOMS, (*PEERS, "kernel+tags", "godwit+tags"), windows=(1000,)),
        Comparison("path", "100 rooms of 2: a message's way in", Shape(rooms=100, members=2, senders=1), PEERS, (100,)),
        Comparison("c", "one room of 10,000", HALL, PEERS[1:], rates=(20,), quiet=True, warm_up=2.0, shortest=4.0),
        Comparison(
            "ws", "(a) over TCP and over WebSocket", Shape(), ("godwit", "godwit+ws", "node+ws"), windows=(1, 30)
        ),
        Comparison(
            "tags",
            "(a) with tags, and the kernel sending the same bytes",
            Shape(),
            ("kernel+tags", "godwit+tags"),
            windows=(1, 10, 30, 100),
        ),
    )
}
"""By name."""

SERVERS = sorted({name for one in COMPARISONS.values() for server in one.servers for name in (server, base(server))})
"""What `Options.only` may have."""
