"""Force, evacuations, several rollouts, retired clusters: what one wish must not do to others."""

from __future__ import annotations

import pytest

from godwit.rollout.values import Facts, Hold
from tests.control.steered import PLAIN, Steered

OTHER = PLAIN.replace('"autumn"', '"other"').replace('to = "aws"', 'to = "event"')


@pytest.fixture
async def network() -> Steered:
    network = Steered()
    await network.begin("a", "b", "c")
    return network


async def test_force_is_for_the_channel_that_is_named(network: Steered) -> None:
    """Another live channel of the same rollout goes on waiting for its stream to end."""
    await network.store.set_live("c", True, network.clock.now())
    rollout = await network.started()
    await network.run(12.0)
    assert await network.where("a", "b", "c") == ["aws", "aws", "main"]
    await network.store.set_live("a", True, network.clock.now())
    await network.do("reverse", rollout=rollout, channel="a", force=True, reason="fire")
    await network.run(12.0)
    assert await network.where("a", "b", "c") == ["main", "aws", "main"]


async def test_force_does_not_outlive_an_abort(network: Steered) -> None:
    """Who reverses again without force leaves live channels alone."""
    rollout = await network.started()
    await network.run(12.0)
    await network.store.set_live("a", True, network.clock.now())
    await network.store.hold(Hold("a", "olga", "why", 1.0))
    await network.do("reverse", rollout=rollout, all=True, force=True, reason="fire")
    await network.do("abort", rollout=rollout)
    await network.store.release_hold("a")
    await network.do("reverse", rollout=rollout, wave="all")
    await network.do("reverse", rollout=rollout, channel="a")
    await network.run(12.0)
    assert await network.where("a") == ["aws"]


async def test_aborted_rollout_is_aborted_again(network: Steered) -> None:
    """Bringing one channel back does not revive it."""
    await network.store.set_live("c", True, network.clock.now())
    rollout = await network.started()
    await network.run(12.0)
    await network.do("abort", rollout=rollout)
    await network.do("reverse", rollout=rollout, channel="a")
    await network.run(12.0)
    assert await network.where("a", "c") == ["main", "main"]
    assert (await network.rollout()).state == "aborted"


async def test_one_rollout_at_work(network: Steered) -> None:
    """Each keeps to its own budget only, so the second one waits."""
    first = await network.started()
    await network.run(12.0)
    await network.do("abort", rollout=first)
    second = await network.started(OTHER)
    for verb, args in (("reverse", {"all": True}), ("reverse", {"channel": "a"})):
        refused = await network.do(verb, rollout=first, **args)
        assert (refused.state, refused.answer) == (
            "refused",
            f"rollout other ({second}) is running: pause it first, or wait for its end",
        )
    await network.do("pause", rollout=second)
    assert (await network.do("reverse", rollout=first, channel="a")).state == "done"
    refused = await network.do("resume", rollout=second)
    assert refused.answer.startswith(f"rollout autumn ({first}) is reversing")


async def test_evacuation_pauses_what_is_at_work(network: Steered) -> None:
    """Otherwise the two would send channels and the default placement to and fro."""
    await network.store.set_live("c", True, network.clock.now())
    rollout = await network.started(OTHER)
    await network.run(3.0)
    answered = await network.do("evacuate", cluster="event", into="main", reason="fire")
    assert answered.state == "done"
    assert answered.answer.endswith("paused: other")
    await network.run(20.0)
    paused = await network.store.rollout(rollout)
    assert paused
    assert (paused.state, paused.why) == ("paused", "event is evacuated into main")
    assert "event" not in await network.where("a", "b", "c")
    assert (await network.store.default_placement()).cluster == "main"


async def test_default_moves_once(network: Steered) -> None:
    """Who changes the default placement while a rollout goes on is right."""
    await network.store.set_live("c", True, network.clock.now())
    await network.started()
    await network.run(12.0)
    assert (await network.store.default_placement()).cluster == "aws"
    await network.do("default", cluster="main")
    await network.run(12.0)
    assert (await network.store.default_placement()).cluster == "main"


async def test_default_leaves_known_channels(network: Steered) -> None:
    """Held and opted-out channels without a row stay where they are."""
    await network.store.hold(Hold("held", "olga", "why", 1.0))
    await network.store.set_facts([Facts("out", opt="out")])
    assert (await network.do("default", cluster="aws")).state == "done"
    assert await network.where("held", "out", "unheard") == ["main", "main", "aws"]


@pytest.mark.parametrize(
    ("verb", "args"),
    [
        ("start", {"toml": OTHER, "replan": True}),
        ("default", {"cluster": "event"}),
        ("evacuate", {"cluster": "main", "into": "event", "reason": "fire"}),
        ("retire", {"cluster": "aws", "into": "event"}),
    ],
)
async def test_retired_cluster_is_no_destination(network: Steered, verb: str, args: dict[str, object]) -> None:
    await network.store.retire("event", "aws", 1.0)
    refused = await network.do(verb, **args)
    assert (refused.state, refused.answer) == (
        "refused",
        "event is retired into aws: choose another one, or `cluster restore event` first",
    )


@pytest.mark.parametrize("value", ["inf", "nan", 1e30, -1, True, [1]])
async def test_budget_that_is_no_number(network: Steered, value: object) -> None:
    rollout = await network.started()
    refused = await network.do("set", rollout=rollout, budget={"hot_per_second": value})
    assert (refused.state, refused.answer[:48]) == ("refused", "set: hot_per_second must be between 0.001 and 10")


async def test_late_opt_out(network: Steered) -> None:
    """Who opts out while the rollout runs stays, and is told why."""
    await network.store.set_live("b", True, network.clock.now())
    await network.started()
    await network.run(5.0)
    await network.store.set_facts([Facts("b", opt="out")])
    await network.store.set_live("b", False, network.clock.now())
    await network.run(12.0)
    assert await network.where("a", "b") == ["aws", "main"]
    assert (await network.item("b")).state == "waiting"


async def test_tries_have_pauses(network: Steered) -> None:
    """A fault that lasts for a minute does not use up all tries."""
    await network.store.set_live("c", True, network.clock.now())
    await network.started()
    real = network.store.journal_many

    async def cancelling(steps, now):  # type: ignore[no-untyped-def]
        return await real([(move, "cancelled" if state == "opening" else state) for move, state in steps], now)

    network.store.journal_many = cancelling  # type: ignore[method-assign]
    await network.run(60.0)
    item = await network.item("a")
    assert (item.state, item.fails) == ("waiting", 5)
    network.store.journal_many = real  # type: ignore[method-assign]
    await network.run(40.0)
    assert await network.where("a") == ["aws"]


async def test_wish_that_breaks_the_controller_is_refused(network: Steered, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those after it are heard."""

    def broken(*args: object) -> None:
        raise UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")

    monkeypatch.setitem(network.conductor._wishes._network, "release", broken)
    refused = await network.do("release", channel="a")
    assert (refused.state, refused.answer) == (
        "refused",
        "a fault of the controller, see its log: UnicodeEncodeError",
    )
    assert (await network.do("hold", channel="a", reason="why")).state == "done"


async def test_rollout_that_breaks_the_controller_stops_alone(
    network: Steered, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wishes are heard, and it goes on when the fault is mended."""
    rollout = await network.started()
    course = network.conductor._courses[rollout]
    with monkeypatch.context() as patch:
        patch.setattr(course, "step", lambda: 1 / 0)
        await network.run(5.0)
        assert network.conductor.holding(rollout) == "a fault of the controller, see its log"
        assert (await network.do("hold", channel="c", reason="why")).state == "done"
        assert (await network.do("release", channel="c")).state == "done"
    await network.run(30.0)
    assert (await network.rollout()).state == "finished"
