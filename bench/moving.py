"""A channel moves while people talk: how long members of both kinds hear nothing."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from statistics import median
from typing import Any
from urllib.parse import urlsplit

from bench.targets import Target
from bench.versus import Options, Row, talking
from godwit.load.crowd import Shape
from godwit.load.loops import Result, steady

ROOM = Shape(members=1000, senders=20)

RATE = 200.0

SPELL = 5.0
"""Seconds of talk without a move, and with one in the middle."""

MOVED = ("draining", "settled")


def move(options: Options) -> list[Row]:
    """A channel of 1,000 with 200 lines a second moves: the longest silence of who stays and of a follower."""
    if options.only and "godwit" not in options.only:
        return []
    shape = Shape(members=20, senders=3) if options.quick else ROOM
    seconds = 1.0 if options.quick else SPELL
    runs: list[dict[str, float]] = []
    exact = True
    with options.running() as running:
        target = running.get("godwit")
        # What a server does once, at its first request and move, is not what is measured.
        first = _Mover(target.ready, "first", 0.0)
        first.start()
        first.join()
        for turn in range(1 if options.quick else options.rounds):
            figures, fine = _turn(target, replace(shape, channel=f"moved{turn}"), seconds)
            runs.append(figures)
            exact = exact and fine
            options.say(f"  move round {turn + 1}: {', '.join(f'{key} {value:.4g}' for key, value in figures.items())}")
        figures = {key: median(run[key] for run in runs) for key in runs[0]}
        setting = f"{shape.members} members, {RATE:g}/s"
        return [Row("move", "godwit", setting, "", target.version, figures, len(runs), exact)]


def _turn(target: Target, shape: Shape, seconds: float) -> tuple[dict[str, float], bool]:
    channel = shape.channel
    with (
        talking(target, "godwit", shape) as crowd,
        _Follower(channel, target.ready["clusters"]) as follower,
    ):
        without, alone = steady(crowd, RATE, seconds, 1.0, target.cpu), follower.spell()
        mover = _Mover(target.ready, channel, 1.0 + seconds / 2)
        mover.start()
        during = steady(crowd, RATE, seconds, 1.0, target.cpu)
        mover.join()
        moved = follower.spell()
    exact = without.exact and during.exact and not mover.failure and moved["cluster"] == "aws" and _whole(moved, during)
    return {
        "p99_ms": without.p99_ms,
        "p99_moving_ms": during.p99_ms,
        "legacy_silence_ms": without.silence_ms,
        "legacy_silence_moving_ms": during.silence_ms,
        "follower_silence_ms": alone["silence_ms"],
        "follower_silence_moving_ms": moved["silence_ms"],
        "lost": float(without.lost + during.lost),
        "load_busy": during.load_busy,
    }, exact


def _whole(heard: Mapping[str, Any], run: Result) -> bool:
    """Whether the follower heard every line once and in order."""
    return not (heard["gaps"] or heard["repeated"] or heard["misordered"]) and heard["heard"] == run.said


class _Mover(threading.Thread):
    """Has the channel moved after a while, by the operator's API."""

    def __init__(self, ready: Mapping[str, Any], channel: str, after: float) -> None:
        super().__init__(name="mover")
        self.failure = ""
        self._ready, self._channel, self._after = ready, channel, after

    def run(self) -> None:
        """Wish for the move and wait until the channel has moved."""
        time.sleep(self._after)
        try:
            body = {"to": "aws", "reason": "bench", "by": "bench"}
            wished = self._ask("POST", f"/channels/{self._channel}/move", body)
            while wished["state"] not in MOVED:
                if wished["state"] in ("failed", "cancelled"):
                    raise OSError(wished["error"])
                wished = self._ask("GET", f"/moves/{wished['id']}/wait?until=draining&timeout=10")
        except OSError as error:
            self.failure = str(error)

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the API; no urllib, which reads the machine's certificates first and holds everything up."""
        headers = {"Authorization": f"Bearer {self._ready['admin_token']}", "Content-Type": "application/json"}
        connection = http.client.HTTPConnection(urlsplit(self._ready["api"]).netloc, timeout=60)
        try:
            connection.request(method, path, json.dumps(body) if body else None, headers)
            return json.load(connection.getresponse())
        finally:
            connection.close()


class _Follower:
    """The client of `follower.py`, in a process of its own on the load's core."""

    def __init__(self, channel: str, clusters: Mapping[str, Mapping[str, str]]) -> None:
        servers = {name: addresses["tcp"] for name, addresses in clusters.items()}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.follower", channel, json.dumps(servers)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> _Follower:
        """Wait until it is in."""
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "joined\n":
            raise RuntimeError("the follower did not get in")
        self._order("begin")
        return self

    def __exit__(self, *error: object) -> None:
        """End it."""
        self._process.communicate()

    def spell(self) -> dict[str, Any]:
        """What it heard since the last time."""
        assert self._process.stdout is not None
        self._order("end")
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found

    def _order(self, order: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{order}\n")
        self._process.stdin.flush()
