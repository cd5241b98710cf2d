"""`godwit bench`: from the words to a plan, and from what was found to words."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from godwit.load import bench as load
from godwit.load.crowd import Shape
from godwit.load.dialects import Dialect
from godwit.load.loops import Result
from tests.cli.conftest import as_json, run

ADDRESS = "127.0.0.1:6667"

RESULT = Result(
    seconds=2.0,
    messages=20,
    deliveries=2_000_000,
    server_cpu=1.0,
    load_busy=0.5,
    expected=4_000_000,
    lost=0,
    repeated=0,
    misordered=0,
    p50_ms=1.5,
    p99_ms=4.25,
    max_ms=9.0,
)


class Asked:
    """What the load was asked for, and what it finds."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Dialect, load.Plan, int]] = []
        self.result: Result | None = RESULT
        self.native = True

    def run(
        self, address: str, dialect: Dialect, plan: load.Plan, say: Callable[[str], None], pid: int, tls: Any
    ) -> Any:
        """Stand in for the load."""
        self.tls: ssl.SSLContext | None = tls
        self.calls.append((address, dialect, plan, pid))
        say("on the way")
        return load.Outcome(plan, 1000, 0.5, self.result, self.native)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """A load that loads nothing."""
    found = Asked()
    monkeypatch.setattr(load, "run", found.run)
    return found


def test_the_defaults(asked: Asked) -> None:
    """One room of 1,000; progress goes to stderr."""
    done = run("bench", ADDRESS)
    assert asked.calls == [(ADDRESS, Dialect(), load.SCENARIOS["a"], 0)]
    assert done.status == 0
    assert done.err == "on the way\n"
    assert "deliveries: 1,000,000 a second, of 10 lines a second" in done.out
    assert "p50 1.5 ms, p99 4.25 ms, most 9 ms" in done.out
    assert "server: 50% of a core, 0.500 us for each delivery" in done.out
    assert done.out.splitlines()[-1] == "exact: 4,000,000 lines came, each once and in order"


def test_every_option_arrives(asked: Asked) -> None:
    """Over the scenario's own."""
    options = "--room lobby --rooms 2 --members 30 --senders 3 --rate 50 --seconds 1.5 --size 200 --at-once 7 --pid 9"
    run("bench", ADDRESS, *options.split(), "--tags", "--ws", "--dialect", "irc")
    [(_, dialect, plan, pid)] = asked.calls
    assert dialect == Dialect("irc", True, True)
    shape = Shape(rooms=2, members=30, senders=3, size=200, channel="lobby")
    assert plan == load.Plan(shape, window=0, rate=50.0, seconds=1.5, at_once=7)
    assert pid == 9


def test_tls(asked: Asked) -> None:
    """The certificate is looked at unless it is not to be."""
    run("bench", ADDRESS)
    assert asked.tls is None
    run("bench", ADDRESS, "--tls")
    assert asked.tls
    assert asked.tls.verify_mode == ssl.CERT_REQUIRED
    assert asked.tls.check_hostname
    run("bench", ADDRESS, "--tls", "--insecure", "--ws")
    assert asked.tls.verify_mode == ssl.CERT_NONE


def test_a_window_instead_of_a_rate(asked: Asked) -> None:
    """And fewer members have fewer senders."""
    run("bench", ADDRESS, "--scenario", "steady", "--window", "5", "--members", "10")
    plan = asked.calls[0][2]
    assert (plan.window, plan.rate, plan.shape.senders) == (5, 0, 9)


@pytest.mark.parametrize("word", load.SCENARIOS)
def test_scenarios(asked: Asked, word: str) -> None:
    """By word."""
    run("bench", ADDRESS, "--scenario", word)
    assert asked.calls[0][2] == load.SCENARIOS[word]


def test_one_json_object(asked: Asked) -> None:
    """And nothing else on stdout."""
    found = as_json(run("bench", ADDRESS, "--json").out)
    assert found["deliveries_per_s"] == 1_000_000
    assert found["exact"] is True


def test_only_coming_in(asked: Asked) -> None:
    """There is nothing else to say."""
    asked.result = None
    assert run("bench", ADDRESS, "--scenario", "e").out == "1,000 connections came in within 0.50 s: 2,000 a second\n"


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_what_is_not_exact_is_exit_status_one(asked: Asked, form: list[str]) -> None:
    """Whatever the form."""
    asked.result = replace(RESULT, lost=3, cut=1)
    done = run("bench", ADDRESS, *form)
    assert done.status == 1
    assert form or "NOT EXACT: of 4,000,000 lines to hear: lost 3, cut 1" in done.out


def test_a_load_at_its_limit_says_so(asked: Asked) -> None:
    """So does the slower one; an unknown process has no CPU."""
    asked.result, asked.native = replace(RESULT, load_busy=0.97, server_cpu=-1.0), False
    done = run("bench", ADDRESS)
    assert "load: 97% of a core: the load is at its limit" in done.out
    assert "counted in Python" in done.out
    assert "server:" not in done.out


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["8.8.8.8:6667"], "--i-own-it"),
        (["6667"], "give HOST:PORT"),
        ([ADDRESS, "--scenario", "z"], "choose among a, steady, b, c, e"),
        ([ADDRESS, "--ws", "--dialect", "nats"], "leave --ws out"),
        ([ADDRESS, "--tls", "--dialect", "nats"], "leave --tls out"),
        ([ADDRESS, "--insecure"], "say --tls"),
    ],
)
def test_refusals(asked: Asked, arguments: list[str], reason: str) -> None:
    """One line, and nobody is connected to."""
    assert reason in run("bench", *arguments).refusal
    assert asked.calls == []
