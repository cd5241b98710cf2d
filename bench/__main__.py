"""Runs the bench: `python -m bench`, or `make bench`."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import uvloop

from bench import machine
from bench.scenarios import GROUPS, SCENARIOS
from bench.sizes import SMALL, Found, Sizes
from godwit.cli import logs

NAMES = (
    f"{', '.join(SCENARIOS)}, or {', '.join(GROUPS)} for {' and '.join(', '.join(some) for some in GROUPS.values())}"
)


def main(arguments: list[str]) -> int:
    """Run what was asked for; returns the exit status: 0 if every count is exact."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure a server by real connections.")
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=f"of {NAMES}; all by default")
    parser.add_argument("--small", "--quick", action="store_true", help="only see that it works")
    parser.add_argument("--channels", type=int, metavar="N", help="of the scenario bot; 100,000 by default")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was found there, too")
    options = parser.parse_args(arguments)
    wanted = [name for asked in options.scenarios for name in GROUPS.get(asked, (asked,))] or list(SCENARIOS)
    if unknown := set(wanted) - set(SCENARIOS):
        parser.error(f"no scenario {', '.join(sorted(unknown))}: choose among {NAMES}")

    logs.to_stderr(30)
    sizes = SMALL if options.small else Sizes()
    if options.channels:
        sizes = replace(sizes, bot=options.channels)
    report: dict[str, Any] = {
        "command": shlex.join(["python", "-m", "bench", *arguments]),
        "machine": machine.describe(),
        "load_before": machine.load(),
        "scenarios": {},
    }
    print(report["command"])
    for name, value in (*report["machine"].items(), ("load before", report["load_before"])):
        print(f"  {name}: {value}")
    exact = True
    for name in wanted:
        found = uvloop.run(SCENARIOS[name](sizes))
        exact = exact and found.account.exact
        report["scenarios"][name] = {"rows": found.rows, "account": asdict(found.account)}
        _print(name, found)
    report["load_after"] = machine.load()
    print(f"\nload after: {report['load_after']}")
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0 if exact else 1


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
