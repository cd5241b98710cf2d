"""Samplers that ask: a built-in metric, Prometheus, a service of the operator's, the probes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from math import ceil, isfinite
from typing import Any, get_args

import httpx
import msgspec

from godwit.control.gatekeeper import Answer, Question
from godwit.control.meters import FOLLOWED
from godwit.control.probes import Probes
from godwit.control.rehearsal import Load, Rehearsals
from godwit.control.round_trip import TRIP
from godwit.rollout.gates import ROUND_TRIP, judge
from godwit.rollout.values import Facts, Gate, Rollout, Verdict
from godwit.store.rollout_base import RolloutStore

LARGEST = 65_536
"""Bytes of an answer that are read."""

PAGE = 1000

GATHER = 600.0
"""Seconds that the members of a rehearsal may take to come in and to leave."""

UNKNOWN_RATE = 1.0
"""Messages per second of a channel of which nobody knows more."""

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

Sources = Callable[[Rollout], Sequence[str]]
"""The clusters that a rollout takes channels from."""


class _Asking:
    """A sampler that waits as long as the gate says."""

    def timeout(self, gate: Gate) -> float:
        """Seconds to wait for `sample`."""
        return gate.timeout


class Metric(_Asking):
    """Asks the built-in metrics.

    Args:
        value: the number of a metric's name, None if there is none, and what it is made of.
        store: has what followed (`followed`).
    """

    def __init__(self, value: Callable[[str], tuple[float | None, str]], store: RolloutStore) -> None:
        self._value = value
        self._store = store

    async def sample(self, question: Question) -> Answer:
        """The metric as it is now."""
        gate = question.gate
        value, detail = await self._followed(question) if gate.value == FOLLOWED else self._value(gate.value)
        return Answer(judge(gate, value), detail, value)

    async def _followed(self, question: Question) -> tuple[float | None, str]:
        """The share of the members of moved channels that had left the old cluster when its drain ended."""
        before = followed = channels = 0
        after = ""
        while True:
            items = await self._store.items(
                question.rollout.id, wave=question.wave, state="done", after=after, limit=PAGE
            )
            for item in items:
                if item.before:
                    channels += 1
                    before += item.before
                    followed += item.followed
            if len(items) < PAGE:
                break
            after = items[-1].channel
        if not before:
            return None, "no channel with members has been moved in this wave yet"
        return followed / before, f"{followed} of {before} members of {channels} channels followed"


class Prometheus(_Asking):
    """Asks a Prometheus server an instant query that gives one number.

    Args:
        url: where it is; empty: nobody is asked.
    """

    def __init__(self, http: httpx.AsyncClient, url: str) -> None:
        self._http = http
        self._url = url.rstrip("/")

    async def sample(self, question: Question) -> Answer:
        """The query's number as it is now."""
        if not self._url:
            return Answer("inconclusive", "nobody knows where Prometheus is: set control.prometheus_url")
        gate = question.gate
        request = self._http.build_request("GET", f"{self._url}/api/v1/query", params={"query": gate.value})
        status, body = await _send(self._http, request)
        try:
            answer = msgspec.json.decode(body)
            if answer["status"] != "success":
                return Answer("inconclusive", f"Prometheus says: {answer.get('error', answer['status'])}")
            values = _numbers(answer["data"])
        except (msgspec.DecodeError, KeyError, TypeError, ValueError, IndexError, AttributeError):
            return Answer("inconclusive", f"status {status}: that is no answer of Prometheus")
        if len(values) != 1:
            return Answer("inconclusive", f"the query gives {len(values)} numbers instead of one")
        if not isfinite(values[0]):
            return Answer("inconclusive", f"the query gives {values[0]}")
        return Answer(judge(gate, values[0]), f"the query gives {values[0]:g}", values[0])


class Hook(_Asking):
    """Asks a service of the operator's by POST; its status says pass or fail, or its JSON more than that."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def sample(self, question: Question) -> Answer:
        """What the service says now."""
        rollout, gate = question.rollout, question.gate
        definition = rollout.definition
        asked = {
            "rollout": rollout.id,
            "name": definition.name,
            "to": definition.to,
            "wave": definition.waves[question.wave].name,
            "gate": gate.name,
        }
        request = self._http.build_request("POST", gate.value, json=asked)
        status, body = await _send(self._http, request)
        told = _told(body)
        detail = told.get("detail")
        text = detail if isinstance(detail, str) and detail else f"status {status}"
        if status >= 400:
            return Answer("fail", text)
        if status >= 300:
            return Answer("inconclusive", f"status {status}: redirects are not followed")
        verdict = told.get("verdict", "pass")
        if verdict not in VERDICTS:
            return Answer("inconclusive", f"the verdict {str(verdict)[:40]!r} is none of {', '.join(VERDICTS)}")
        return Answer(verdict, text)


class Probe:
    """Asks the probes, or has a room moved there and back.

    Args:
        sources: the clusters that a rollout takes channels from.
    """

    def __init__(self, probes: Probes, sources: Sources) -> None:
        self._probes = probes
        self._sources = sources

    def timeout(self, gate: Gate) -> float:
        """Seconds to wait for `sample`."""
        return max(gate.timeout, 2 * TRIP) if gate.value == ROUND_TRIP else gate.timeout

    async def sample(self, question: Question) -> Answer:
        """What the probes see now."""
        gate, rollout = question.gate, question.rollout
        target, sources = rollout.definition.to, self._sources(rollout)
        if gate.value != ROUND_TRIP:
            value, detail = self._probes.value(gate.value, target, sources)
            return Answer(judge(gate, value), detail, value)
        if not sources:
            return Answer("inconclusive", "there is no cluster to come from")
        faults, detail = await self._probes.round_trip(sources[0], target)
        bound = msgspec.structs.replace(gate, at_most=gate.at_most or 0.0)
        return Answer(judge(bound, float(faults)), detail, float(faults))


class Rehearsal:
    """Has the wave's largest channel rehearsed.

    Args:
        largest: a wave's largest channel with its peak; None if the wave has no channels.
    """

    def __init__(self, rehearsals: Rehearsals, largest: Callable[[Rollout, int], Awaitable[Facts | None]]) -> None:
        self._rehearsals = rehearsals
        self._largest = largest

    def timeout(self, gate: Gate) -> float:
        """Seconds to wait for `sample`."""
        return 2 * gate.seconds + GATHER

    async def sample(self, question: Question) -> Answer:
        """Whether the target carried it."""
        gate = question.gate
        peak = await self._largest(question.rollout, question.wave)
        if peak is None:
            return Answer("pass", "the wave has no channels: nothing to rehearse")
        if not peak.members:
            return Answer("inconclusive", "nobody knows how large the channels of this wave are: give their facts")
        rate = peak.rate or UNKNOWN_RATE
        load = Load(peak.channel, ceil(peak.members * gate.factor), rate * gate.factor, gate.seconds)
        outcome = await self._rehearsals.rehearse(question.rollout.definition.to, load, question.progress)
        guessed = "" if peak.rate else f" (its rate is not known: {rate:g} a second was taken)"
        detail = f"{gate.factor:g} times the peak of #{peak.channel}{guessed}: {outcome}"
        if not outcome.sound:
            return Answer("fail", detail, outcome.p99)
        if not outcome.loaded or outcome.p99 is None:
            return Answer("inconclusive", detail, outcome.p99)
        return Answer(judge(gate, outcome.p99), detail, outcome.p99)


async def _send(http: httpx.AsyncClient, request: httpx.Request) -> tuple[int, bytes]:
    """The status and the beginning of the body."""
    response = await http.send(request, stream=True)
    try:
        body = b""
        async for piece in response.aiter_bytes():
            body += piece
            if len(body) > LARGEST:
                break
        return response.status_code, body[:LARGEST]
    finally:
        await response.aclose()


def _told(body: bytes) -> Mapping[str, Any]:
    """What a JSON object says; nothing if it is none."""
    try:
        found = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _numbers(data: Any) -> list[float]:
    """The numbers of a query's result."""
    if data["resultType"] == "scalar":
        return [float(data["result"][1])]
    if data["resultType"] == "vector":
        return [float(series["value"][1]) for series in data["result"]]
    raise ValueError(data["resultType"])
