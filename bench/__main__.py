"""Runs the bench: `python -m bench`, or `make bench`."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import uvloop

from bench import machine, results
from bench.report import figure, verdict
from bench.scenarios import GROUPS, SCENARIOS
from bench.sizes import SMALL, Found, Sizes
from bench.versus import SERVERS, Options, Row, Running
from bench.words import WORDS
from godwit.cli import logs

NAMES = ", ".join((*WORDS, *SCENARIOS, *GROUPS))


def main(arguments: list[str]) -> int:
    """Run what was asked for; returns the exit status: 0 if every count is exact."""
    options = _parser().parse_args(arguments)
    wanted = [name for asked in options.scenarios for name in GROUPS.get(asked, (asked,))] or [*WORDS, *SCENARIOS]
    if unknown := set(wanted) - WORDS.keys() - SCENARIOS.keys():
        _parser().error(f"no scenario {', '.join(sorted(unknown))}: choose among {NAMES}")
    only = tuple(name for name in options.only.split(",") if name)
    if strange := set(only) - set(SERVERS):
        _parser().error(f"--only: no server {', '.join(sorted(strange))}: choose among {', '.join(SERVERS)}")

    logs.to_stderr(30)
    sizes = SMALL if options.quick else Sizes()
    if options.channels:
        sizes = replace(sizes, bot=options.channels)
    if options.rows:
        sizes = replace(sizes, bot_rows=True)
    if options.joins:
        sizes = replace(sizes, bot_joins=options.joins)
    comparing = Options(
        windows=_numbers(options.windows, int),
        rates=_numbers(options.rates, float),
        only=only,
        members=options.members,
        seconds=0.2 if options.quick else options.seconds,
        rounds=options.rounds,
        quick=options.quick,
        shared=Running() if options.quick else None,
    )
    report: dict[str, Any] = {
        "command": shlex.join(["python", "-m", "bench", *results.without_files(arguments)]),
        "machine": machine.describe(),
        "load_before": machine.load(),
        "scenarios": {},
        "rows": [],
    }
    print(report["command"])
    for name, value in (*report["machine"].items(), ("load before", report["load_before"])):
        print(f"  {name}: {value}")
    with comparing.shared or nullcontext():
        verdicts = [_measure(name, options.write, comparing, sizes, report) for name in wanted]
    report["load_after"] = machine.load()
    if options.write:
        results.write()
    print(f"\nload after: {report['load_after']}")
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0 if all(verdicts) else 1


def _measure(name: str, write: bool, options: Options, sizes: Sizes, report: dict[str, Any]) -> bool:
    """Measure one scenario, and say and keep what was found; returns whether every count is exact."""
    if name not in WORDS:
        found = uvloop.run(SCENARIOS[name](sizes))
        report["scenarios"][name] = {"rows": found.rows, "account": asdict(found.account)}
        _print(name, found)
        return found.account.exact
    title, measure = WORDS[name]
    before = machine.load()
    print(f"\n{name}: {title} (load {before})", flush=True)
    rows = measure(options)
    if write:
        about = {"command": report["command"], "machine": report["machine"], "load_before": before}
        results.record(name, rows, {**about, "load_after": machine.load()})
    report["rows"] += [asdict(row) for row in rows]
    _print_rows(rows)
    return all(row.exact for row in rows)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure servers by real connections.")
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=f"of {NAMES}; all by default")
    parser.add_argument("--quick", "--small", action="store_true", help="only see that it works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was found there, too")
    parser.add_argument("--write", action="store_true", help="put it into docs/benchmarks.json and its page")
    parser.add_argument("--channels", type=int, metavar="N", help="of the scenario bot; 100,000 by default")
    parser.add_argument(
        "--joins", type=int, metavar="N", help="that the bot may do in ten seconds, as 2000; else any number, unpaced"
    )
    parser.add_argument("--rows", action="store_true", help="the bot's channels have rows, and are moved one by one")
    group = parser.add_argument_group("servers beside each other", f"of {', '.join(WORDS)}")
    group.add_argument("--windows", default="", metavar="W,W", help="lines under way, instead of the scenario's")
    group.add_argument("--rates", default="", metavar="R,R", help="lines a second, instead of the scenario's")
    group.add_argument("--only", default="", metavar="NAME,NAME", help=f"these servers, of {', '.join(SERVERS)}")
    group.add_argument("--members", type=int, default=0, metavar="N", help="in each room")
    group.add_argument("--seconds", type=float, default=1.5, metavar="S", help="of each run")
    group.add_argument("--rounds", type=int, default=3, metavar="N", help="medians of so many")
    return parser


def _numbers(text: str, kind: type[int] | type[float]) -> tuple[Any, ...]:
    return tuple(kind(number) for number in text.split(",") if number)


def _print_rows(rows: list[Row]) -> None:
    for row in rows:
        if not row.figures:
            print(f"  {row.server:12} {row.note}")
            continue
        figures = ", ".join(f"{key} {figure(value)}" for key, value in row.figures.items())
        print(f"  {row.server:12} {row.setting:10} {figures}; {row.runs} runs, {verdict(row)}")


def _print(name: str, found: Found) -> None:
    print(f"\n{name}: {(SCENARIOS[name].__doc__ or '').splitlines()[0]}")
    for row in found.rows:
        print("  " + ", ".join(f"{key} {_shown(value)}" for key, value in row.items()))
    verdict = "exact" if found.account.exact else "NOT EXACT"
    print(f"  {verdict}: " + ", ".join(f"{key} {value}" for key, value in asdict(found.account).items()))


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "(" + ", ".join(f"{key} {inner}" for key, inner in value.items()) + ")"
    return f"{value:,}" if isinstance(value, int) else str(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
