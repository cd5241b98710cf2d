"""Samplers against small HTTP servers, and what they make of numbers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest

from godwit.control.gatekeeper import Answer, Question
from godwit.control.rehearsal import Load, Outcome
from godwit.control.samplers import LARGEST, Hook, Metric, Probe, Prometheus, Rehearsal
from godwit.rollout.values import Budget, Definition, Facts, Gate, Item, Rollout, Wave, WaveProgress
from tests.control.http_world import http_server

ROLLOUT = Rollout("r1", Definition("summer", "aws", (Wave("staff"),)), "h", "running", (WaveProgress(),), Budget())


def asked(**changed: Any) -> Question:
    """A question about a gate of the only wave."""
    return Question(ROLLOUT, 0, Gate(**{"kind": "metric", "name": "g", "when": "during", **changed}))


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """A client as the controller has it."""
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client


def vector(*values: str) -> bytes:
    """An answer of Prometheus."""
    result = [{"metric": {}, "value": [1.0, value]} for value in values]
    return msgspec.json.encode({"status": "success", "data": {"resultType": "vector", "result": result}})


@pytest.mark.parametrize(
    ("status", "body", "verdict", "value", "detail"),
    [
        (200, vector("0.5"), "pass", 0.5, "the query gives 0.5"),
        (200, vector("2"), "fail", 2.0, "the query gives 2"),
        (
            200,
            b'{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}',
            "pass",
            1.0,
            "the query gives 1",
        ),
        (200, vector(), "inconclusive", None, "the query gives 0 numbers instead of one"),
        (200, vector("1", "1"), "inconclusive", None, "the query gives 2 numbers instead of one"),
        (200, vector("NaN"), "inconclusive", None, "the query gives nan"),
        (200, vector("+Inf"), "inconclusive", None, "the query gives inf"),
        (200, vector("x"), "inconclusive", None, "status 200: that is no answer of Prometheus"),
        (400, b'{"status":"error","error":"bad query"}', "inconclusive", None, "Prometheus says: bad query"),
        (502, b"<html>", "inconclusive", None, "status 502: that is no answer of Prometheus"),
        (200, b"[]", "inconclusive", None, "status 200: that is no answer of Prometheus"),
        (200, b"null", "inconclusive", None, "status 200: that is no answer of Prometheus"),
        (
            200,
            b'{"status":"success","data":{"resultType":"matrix","result":[]}}',
            "inconclusive",
            None,
            "status 200: that is no answer of Prometheus",
        ),
    ],
)
async def test_prometheus(
    http: httpx.AsyncClient, status: int, body: bytes, verdict: str, value: float | None, detail: str
) -> None:
    async with http_server(lambda request: (status, body)) as server:
        answer = await Prometheus(http, server.url + "/").sample(asked(value='up{job="x"}', at_most=1.0))
    assert (answer.verdict, answer.value, answer.detail) == (verdict, value, detail)
    path = httpx.URL(server.url + server.requests[0].path)
    assert path.path == "/api/v1/query"
    assert path.params["query"] == 'up{job="x"}'


async def test_prometheus_without_an_address(http: httpx.AsyncClient) -> None:
    answer = await Prometheus(http, "").sample(asked(value="up"))
    assert answer.verdict == "inconclusive"
    assert "control.prometheus_url" in answer.detail


@pytest.mark.parametrize(
    ("status", "body", "verdict", "detail"),
    [
        (204, b"", "pass", "status 204"),
        (200, b"fine", "pass", "status 200"),
        (200, b'{"detail": "all well"}', "pass", "all well"),
        (200, b'{"verdict": "fail", "detail": "too hot"}', "fail", "too hot"),
        (200, b'{"verdict": "inconclusive"}', "inconclusive", "status 200"),
        (200, b'{"verdict": "maybe"}', "inconclusive", "the verdict 'maybe' is none of pass, fail, inconclusive"),
        (200, b'{"verdict": ["pass"]}', "inconclusive", "the verdict \"['pass']\" is none of pass, fail, inconclusive"),
        (302, b"", "inconclusive", "status 302: redirects are not followed"),
        (404, b"", "fail", "status 404"),
        (503, b'{"verdict": "pass", "detail": "full"}', "fail", "full"),
    ],
)
async def test_a_service_is_asked(http: httpx.AsyncClient, status: int, body: bytes, verdict: str, detail: str) -> None:
    async with http_server(lambda request: (status, body)) as server:
        answer = await Hook(http).sample(asked(kind="http", value=server.url + "/gate"))
    assert (answer.verdict, answer.detail, answer.value) == (verdict, detail, None)
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/gate")
    assert msgspec.json.decode(request.body) == {
        "rollout": "r1",
        "name": "summer",
        "to": "aws",
        "wave": "staff",
        "gate": "g",
    }


async def test_of_a_large_answer_only_the_beginning_is_read(http: httpx.AsyncClient) -> None:
    async with http_server(lambda request: (200, b"x" * LARGEST * 4)) as server:
        answer = await Hook(http).sample(asked(kind="http", value=server.url))
    assert answer.verdict == "pass"


async def test_who_is_not_there_is_an_error(http: httpx.AsyncClient) -> None:
    async with http_server(lambda request: (200, b"")) as server:
        pass
    with pytest.raises(httpx.ConnectError):
        await Hook(http).sample(asked(kind="http", value=server.url))
    assert Hook(http).timeout(asked(timeout=3.0).gate) == 3.0


class Items:
    """The part of a store that has a rollout's items."""

    def __init__(self, items: list[Item]) -> None:
        self.found = items

    async def items(self, rollout: str, *, wave: int, state: str, after: str, limit: int) -> list[Item]:
        """Those behind a name."""
        return [item for item in self.found if item.channel > after and item.state == state][:limit]


@pytest.mark.parametrize(("value", "verdict"), [(0.5, "pass"), (2.0, "fail"), (None, "inconclusive")])
async def test_built_in_metrics(value: float | None, verdict: str) -> None:
    names = []

    def measure(name: str) -> tuple[float | None, str]:
        names.append(name)
        return value, "told"

    answer = await Metric(measure, Items([])).sample(asked(value="gaps", at_most=1.0))  # type: ignore[arg-type]
    assert answer == Answer(verdict, "told", value)  # type: ignore[arg-type]
    assert names == ["gaps"]


async def test_who_followed_comes_from_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("godwit.control.samplers.PAGE", 2)
    items = [Item("r1", f"c{n}", 0, "main", state="done", before=10 * n, followed=9 * n) for n in range(5)]
    items.append(Item("r1", "late", 0, "main", state="moving", before=100))
    metric = Metric(lambda name: (None, ""), Items(items))  # type: ignore[arg-type]
    answer = await metric.sample(asked(value="followed", at_least=0.9))
    assert (answer.verdict, answer.value, answer.detail) == ("pass", 0.9, "90 of 100 members of 4 channels followed")
    nobody = await Metric(lambda name: (None, ""), Items([])).sample(asked(value="followed"))  # type: ignore[arg-type]
    assert nobody.verdict == "inconclusive"


class Seen:
    """Probes that see what a test wants."""

    def __init__(self, value: float | None = None, faults: int = 0) -> None:
        self.found, self.faults = value, faults
        self.asked: list[Any] = []

    def value(self, *asked: Any) -> tuple[float | None, str]:
        """What they see."""
        self.asked.append(asked)
        return self.found, "seen"

    async def round_trip(self, *asked: Any) -> tuple[int, str]:
        """What a trip came to."""
        self.asked.append(asked)
        return self.faults, "travelled"


@pytest.mark.parametrize(("value", "verdict"), [(0.1, "pass"), (0.3, "fail"), (None, "inconclusive")])
async def test_probes_are_asked(value: float | None, verdict: str) -> None:
    probes = Seen(value)
    sampler = Probe(probes, lambda rollout: ["main", "event"])  # type: ignore[arg-type]
    answer = await sampler.sample(asked(kind="probe", value="p99", at_most=0.2))
    assert (answer.verdict, answer.value) == (verdict, value)
    assert probes.asked == [("p99", "aws", ["main", "event"])]
    assert sampler.timeout(asked(value="p99", timeout=3.0).gate) == 3.0


@pytest.mark.parametrize(("faults", "verdict"), [(0, "pass"), (1, "fail")])
async def test_a_round_trip_passes_only_without_faults(faults: int, verdict: str) -> None:
    probes = Seen(faults=faults)
    sampler = Probe(probes, lambda rollout: ["main", "event"])  # type: ignore[arg-type]
    answer = await sampler.sample(question := asked(kind="probe", value="round_trip"))
    assert (answer.verdict, answer.value, answer.detail) == (verdict, float(faults), "travelled")
    assert probes.asked == [("main", "aws")]
    assert sampler.timeout(question.gate) > 60
    nowhere = await Probe(probes, lambda rollout: []).sample(question)  # type: ignore[arg-type]
    assert nowhere.verdict == "inconclusive"


class Stage:
    """Rehearsals that come out as a test wants."""

    def __init__(self, **changed: Any) -> None:
        fine = Outcome(30, 30, 0, 100, 100, 100, 3000, 0, 0, 0, 0.01, 0.05)
        self.outcome = msgspec.structs.replace(fine, **changed)
        self.loads: list[tuple[str, Load]] = []

    async def rehearse(self, cluster: str, load: Load, progress: Any) -> Outcome:
        """What it came to."""
        self.loads.append((cluster, load))
        return self.outcome


async def rehearsal(peak: Facts | None, stage: Stage, **changed: Any) -> Answer:
    """The answer of a rehearsal gate."""

    async def largest(rollout: Rollout, wave: int) -> Facts | None:
        return peak

    sampler = Rehearsal(stage, largest)  # type: ignore[arg-type]
    question = asked(**{"kind": "rehearsal", "seconds": 20.0, **changed})
    assert sampler.timeout(question.gate) > 2 * 20.0
    return await sampler.sample(question)


async def test_the_largest_channels_peak_times_the_factor_is_rehearsed() -> None:
    stage = Stage()
    answer = await rehearsal(Facts("big", members=21, rate=4.0), stage)
    assert stage.loads == [("aws", Load("big", 32, 6.0, 20.0))]
    assert answer.verdict == "pass"
    assert answer.value == 0.05
    assert answer.detail == (
        "1.5 times the peak of #big: 30 members, 100 messages: nothing lost; p99 50.0 ms over 3000 deliveries"
    )


async def test_an_unknown_rate_is_guessed_and_told() -> None:
    stage = Stage()
    answer = await rehearsal(Facts("big", members=20), stage)
    assert stage.loads[0][1].rate == 1.5
    assert "1 a second was taken" in answer.detail


async def test_a_wave_without_channels_or_without_sizes() -> None:
    assert (await rehearsal(None, Stage())).verdict == "pass"
    assert (await rehearsal(Facts("big"), Stage())).verdict == "inconclusive"


@pytest.mark.parametrize(
    ("changed", "verdict", "told"),
    [
        ({"lost": 3}, "fail", "3 lost"),
        ({"repeated": 2}, "fail", "2 repeated"),
        ({"disorder": 1}, "fail", "1 out of order"),
        ({"joined": 29}, "fail", "1 not let in"),
        ({"left": 1}, "fail", "1 cut off"),
        ({"acknowledged": 99}, "fail", "1 not acknowledged"),
        ({"p99": 0.3}, "fail", "p99 300.0 ms"),
        ({"said": 50, "acknowledged": 50}, "inconclusive", "50 messages could not be sent in time"),
        ({"p99": None}, "inconclusive", "no deliveries"),
        ({"note": "fewer"}, "pass", "; fewer"),
    ],
)
async def test_what_a_rehearsal_fails_by(changed: dict[str, Any], verdict: str, told: str) -> None:
    answer = await rehearsal(Facts("big", members=20, rate=1.0), Stage(**changed), at_most=0.2)
    assert answer.verdict == verdict
    assert told in answer.detail
