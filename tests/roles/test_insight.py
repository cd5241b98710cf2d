"""What the leading controller knows of rollouts, told elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import httpx
import msgspec

from godwit.roles.insight import Insight, RemoteInsight, insight_of
from godwit.rollout.values import Budget, Definition, Gate, Rollout, Sample, Wave
from godwit.steering import Steering
from godwit.store.nodes_base import Node
from godwit.store.rollout_base import RolloutStore

TOKEN = "the-admin-token"
SAMPLE = Sample("soak", 5.0, "fail", "too slow", 0.7)


def of(leads: bool) -> Steering:
    """A controller that holds the rollout `r1` because of its gate."""

    def samples(rollout: str, wave: int, gate: str) -> Sequence[Sample]:
        return [SAMPLE] if (rollout, wave, gate) == ("r1", 1, "soak") else []

    found: Any = SimpleNamespace(
        conductor=SimpleNamespace(
            leader=SimpleNamespace(leads=leads), holding=lambda rollout: "a gate" if rollout == "r1" else ""
        ),
        outside=SimpleNamespace(gatekeeper=SimpleNamespace(samples=samples)),
    )
    return cast(Steering, found)


class Rollouts:
    """A store with three rollouts, of which one has ended."""

    async def rollouts(self, limit: int = 100) -> list[Rollout]:
        gates = (Gate("http", "soak", "after"), Gate("http", "other", "after"))
        definition = Definition("autumn", "aws", (Wave("first"), Wave("second", gates=gates)))
        rollout = Rollout("r1", definition, "hash", "running", (), Budget())
        ended = msgspec.structs.replace(rollout, id="r3", state="finished")
        return [rollout, msgspec.structs.replace(rollout, id="r2"), ended]


async def test_who_leads_knows() -> None:
    store = cast(RolloutStore, Rollouts())
    assert await insight_of(of(False), store) == Insight()
    assert await insight_of(of(True), store) == Insight(True, {"r1": "a gate"}, [("r1", 1, "soak", (SAMPLE,))])


async def test_a_directory_tells_what_it_heard_last() -> None:
    known = {"one": Insight(), "two": await insight_of(of(True), cast(RolloutStore, Rollouts()))}

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["Authorization"] == f"Bearer {TOKEN}"
        if request.url.host not in known:
            raise httpx.ConnectError("refused")
        return httpx.Response(200, content=msgspec.json.encode(known[request.url.host]))

    nodes = [Node(name, "controller", "s", 0.0, 9.0, url=f"http://{name}") for name in ("one", "two", "dead")]
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        insight = RemoteInsight(lambda: nodes, http, TOKEN)
        assert insight.holding("r1") == ""
        assert list(insight.samples("r1", 1, "soak")) == []
        await insight.ask()
        assert (insight.holding("r1"), insight.holding("r2")) == ("a gate", "")
        assert list(insight.samples("r1", 1, "soak")) == [SAMPLE]
        # Nobody leads for a while: what was known is still the last that was.
        known["two"] = Insight()
        await insight.ask()
        assert insight.holding("r1") == "a gate"
        known["one"] = Insight(True)
        await insight.ask()
        assert insight.holding("r1") == ""
