"""`godwit bench`: how much a server can do, counted line by line."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Annotated, Any

import typer

from godwit.cli.options import Json
from godwit.load.dialects import Dialect, DialectName


def bench(
    address: Annotated[str, typer.Argument(metavar="HOST:PORT", help="The server's TCP port, or its own for --ws.")],
    scenario: Annotated[
        str,
        typer.Option(
            metavar="WORD",
            help="What the options below begin with. a: one room of 1,000, 30 lines under way. steady: the same at "
            "2,000 lines a second. b: 1,000 rooms of 10, one line under way in each. c: one room of 10,000 at 20 a "
            "second. e: 10,000 only come in.",
        ),
    ] = "a",
    room: Annotated[str, typer.Option(metavar="NAME", help="The room's name, without #; else one of its own.")] = "",
    rooms: Annotated[int | None, typer.Option(help="How many rooms.")] = None,
    members: Annotated[int | None, typer.Option(help="Connections in each room, senders among them.")] = None,
    senders: Annotated[int | None, typer.Option(help="Who speaks, of each room.")] = None,
    window: Annotated[int | None, typer.Option(help="As fast as it goes with so many lines under way in all.")] = None,
    rate: Annotated[float | None, typer.Option(help="Instead: lines a second in all, whatever comes of them.")] = None,
    seconds: Annotated[float | None, typer.Option(help="How long to measure, after a second of warming up.")] = None,
    size: Annotated[int | None, typer.Option(help="Bytes of a line's text.")] = None,
    at_once: Annotated[int | None, typer.Option("--at-once", help="Connections that come in at a time.")] = None,
    tags: Annotated[bool, typer.Option("--tags", help="Members ask for tags and commands.")] = False,
    ws: Annotated[bool, typer.Option("--ws", help="Over WebSocket.")] = False,
    tls: Annotated[bool, typer.Option("--tls", help="Over TLS; with --ws that is wss.")] = False,
    insecure: Annotated[bool, typer.Option("--insecure", help="With --tls: take any certificate.")] = False,
    dialect: Annotated[DialectName, typer.Option(help="What the server speaks.")] = "twitch",
    pid: Annotated[int, typer.Option(help="The server's process on this machine: its CPU is counted, too.")] = 0,
    owned: Annotated[
        bool, typer.Option("--i-own-it", help="The server is yours, though its address is public.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Fill rooms of a server with members that talk, and count every line at everybody who has to hear it.

    Members read without an account. Senders log in as accounts with made-up tokens, so a Godwit must have open
    authentication, and limits that are out of the way: --set limits.preset=off. Twitch's own limits are what is
    measured otherwise. The load takes one core; beyond 93 % of it the figures are the load's own, and marked so. Over
    TLS that is soon: it deciphers for everybody.

    Exit status: 0 if everything came once and in order, else 1.

    Example: godwit bench 127.0.0.1:6667 --members 100 --window 10
    """
    from godwit.load import bench as load
    from godwit.load.crowd import LoadFailed
    from godwit.load.reach import allow
    from godwit.load.tls import trusting

    if scenario not in load.SCENARIOS:
        raise LoadFailed(f"there is no scenario {scenario!r}: choose among {', '.join(load.SCENARIOS)}")
    if ws and dialect == "nats":
        raise LoadFailed("nats is spoken over TCP: leave --ws out")
    if tls and dialect == "nats":
        raise LoadFailed("nats begins without TLS, which is not spoken here: leave --tls out")
    if insecure and not tls:
        raise LoadFailed("--insecure is about certificates: say --tls, too")
    allow(address, owned=owned)
    plan = load.SCENARIOS[scenario]
    if window is not None:
        plan = replace(plan, rate=0.0)
    if rate is not None:
        plan = replace(plan, window=0)
    shape = replace(plan.shape, channel=room, **_given(rooms=rooms, members=members, size=size))
    shape = replace(shape, senders=min(shape.senders, max(1, shape.members - 1)) if senders is None else senders)
    plan = replace(plan, shape=shape, **_given(window=window, rate=rate, seconds=seconds, at_once=at_once))

    def say(text: str) -> None:
        typer.echo(text, err=True)

    context = trusting(anyone=insecure) if tls else None
    outcome = load.run(address, Dialect(dialect, tags, ws), plan, say, pid, context)
    typer.echo(json.dumps(outcome.as_dict()) if as_json else "\n".join(_lines(outcome)))
    raise typer.Exit(0 if outcome.exact else 1)


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _lines(outcome: Any) -> list[str]:
    """What was found, for people."""
    lines = [
        f"{outcome.connections:,} connections came in within {outcome.connected_in:.2f} s: "
        f"{outcome.connections / outcome.connected_in:,.0f} a second"
    ]
    result = outcome.result
    if result is None:
        return lines
    said = result.messages / result.seconds
    lines.append(f"deliveries: {result.deliveries_per_s:,.0f} a second, of {said:,.0f} lines a second")
    lines.append(f"latency: p50 {result.p50_ms:.3g} ms, p99 {result.p99_ms:.3g} ms, most {result.max_ms:.3g} ms")
    lines.append(f"longest silence of a member: {result.silence_ms:.3g} ms")
    if result.server_cpu >= 0:
        lines.append(f"server: {result.cpu_share:.0%} of a core, {result.cpu_us:.3f} us for each delivery")
    bound = ": the load is at its limit, the server may be faster" if result.load_bound else ""
    lines.append(f"load: {result.load_busy:.0%} of a core{bound}")
    if not outcome.native:
        lines.append("counted in Python, since nothing in C was built: the load could be several times faster")
    wrong = {
        name: getattr(result, name)
        for name in ("lost", "repeated", "misordered", "cut", "notices")
        if getattr(result, name)
    }
    counts = ", ".join(f"{name} {count:,}" for name, count in wrong.items())
    lines.append(
        f"NOT EXACT: of {result.expected:,} lines to hear: {counts}"
        if wrong
        else f"exact: {result.expected:,} lines came, each once and in order"
    )
    return lines
