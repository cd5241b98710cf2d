"""`python -m tests.chaos`: break a whole network, again and again, and count what everybody saw."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
from pathlib import Path
from typing import get_args

from godwit.cli import logs
from tests.chaos.crowd import Cheat
from tests.chaos.faults import KINDS
from tests.chaos.run import Run, RunOptions, summary


def main() -> int:
    """Run as the command line says; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="decides which faults there are, and what they hit")
    parser.add_argument("--faults", type=int, default=100, help="how many")
    parser.add_argument(
        "--only", action="append", choices=list(KINDS), default=[], help="only this kind; may be repeated"
    )
    parser.add_argument("--channels", type=int, default=8, help="channels in which people talk")
    parser.add_argument("--nats", type=int, choices=(1, 3), default=3, help="NATS servers per cluster")
    parser.add_argument("--cheat", choices=get_args(Cheat), default="none", help="what a client does wrong")
    parser.add_argument("--dir", type=Path, help="where logs and settings go; by default a temporary directory")
    given = parser.parse_args()
    logs.to_stderr(logging.ERROR)
    options = RunOptions(
        seed=given.seed,
        faults=given.faults,
        only=tuple(given.only),
        channels=given.channels,
        nats=given.nats,
        cheat=given.cheat,
    )
    directory = given.dir or Path(tempfile.mkdtemp(prefix="godwit-chaos-"))
    result = asyncio.run(Run(options, directory, lambda line: print(line, flush=True)).run())
    print(summary(result))
    return 0 if result.ok else 1


if __name__ == "__main__":
    sys.exit(main())
