"""Waves one after the other: gates, soaks, approvals, issues, the rest and the default placement, and the way back."""

from __future__ import annotations

import pytest

from godwit.control.waves import SWEEP
from godwit.rollout.values import Facts, Hold, OnFailure, Rollout
from godwit.values import Move, Segment
from tests.control.steered import PLAIN, Steered

GATED = """
name = "autumn"
to = "aws"
offline_for = 0
[[wave]]
name = "staff"
channels = ["a", "b"]
on_failure = "{failure}"
[[wave.gate]]
kind = "metric"
name = "gaps"
value = "gaps"
at_most = 0
when = "{when}"
samples = 2
fails = 2
[[wave]]
name = "all"
rest = true
"""
SOAKED = PLAIN.replace('channels = ["a", "b"]', 'channels = ["a", "b"]\n[[wave.gate]]\nkind = "soak"\nseconds = 30')
ASKED = PLAIN.replace("rest = true", 'rest = true\n[[wave.gate]]\nkind = "approval"\nname = "boss"')
WITH_TIERS = ASKED.replace('channels = ["a", "b"]', 'tiers = ["staff"]\nmandatory = true')


@pytest.fixture
async def network() -> Steered:
    """Four channels on `main`."""
    network = Steered()
    await network.begin("a", "b", "c", "d")
    return network


def gated(when: str, failure: OnFailure = "pause") -> str:
    return GATED.format(when=when, failure=failure)


def states(rollout: Rollout) -> list[str]:
    return [wave.state for wave in rollout.waves]


# forward ----------------------------------------------------------------------------------------


async def test_from_start_to_end(network: Steered) -> None:
    """Wave by wave, the default placement with the rest, and then it is finished."""
    await network.started()
    seen = [states(await network.rollout())]
    for _ in range(20):
        await network.run(1.0)
        if (now := states(await network.rollout())) != seen[-1]:
            seen.append(now)
    rollout = await network.rollout()
    assert (rollout.state, rollout.why) == ("finished", "all waves are done")
    assert states(rollout) == ["done", "done"]
    assert await network.where("a", "b", "c", "d", "nobody_knows") == ["aws"] * 5
    assert set((await network.states()).values()) == {"done"}
    assert rollout.default_before == Segment("main", 1, 0, "main/1")
    staff = max(move.history[0][1] for move in await network.begun() if move.channel in "ab")
    rest = min(move.history[0][1] for move in await network.begun() if move.channel in "cd")
    assert staff < rest
    kinds = await network.kinds()
    assert kinds[0] == "rollout.started"
    assert kinds[-1] == "rollout.finished"
    assert network.conductor.statistics() == {"leads": 1, "rollouts": 0}


async def test_no_wave_is_left_before_its_channels_have_moved(network: Steered) -> None:
    """Moves that are under way hold the end of a wave."""
    await network.started()
    for _ in range(10):
        await network.conductor.look()
        network.clock.advance(1.0)
    rollout = await network.rollout()
    assert states(rollout) == ["moving", "pending"]
    assert await network.states() == {"a": "moving", "b": "moving", "c": "waiting", "d": "waiting"}
    await network.carry()
    await network.run(3.0)
    assert (await network.rollout()).wave == 1


async def test_live_ones_do_not_hold_the_next_wave(network: Steered) -> None:
    """They move when their streams end, and the rollout ends behind the last one."""
    await network.store.set_live("a", True, 0.0)
    await network.started()
    await network.run(12.0)
    rollout = await network.rollout()
    assert (rollout.state, states(rollout)) == ("running", ["done", "done"])
    assert await network.where("a", "b", "c", "d") == ["main", "aws", "aws", "aws"]
    assert network.conductor.holding(rollout.id) == "channels of its waves are still waiting"
    await network.store.set_live("a", False, network.clock.now())
    await network.run(3.0)
    assert (await network.rollout()).state == "finished"
    assert await network.where("a") == ["aws"]


async def test_goes_on_under_another_leader(network: Steered) -> None:
    """Whatever was done is in the store."""
    await network.started(SOAKED)
    await network.run(5.0)
    network.clock.advance(60.0)
    network.conductor = network.another("two")
    await network.run(15.0)
    assert (await network.rollout()).state == "finished"
    assert len(await network.begun()) == 4


# gates ------------------------------------------------------------------------------------------


async def test_gate_before_a_wave(network: Steered) -> None:
    """Nothing moves before it has passed."""
    rollout = await network.started(gated("before"))
    await network.run(5.0)
    assert states(await network.rollout()) == ["checking", "pending"]
    assert await network.begun() == []
    assert network.gates.watched == ["gaps"]
    assert network.conductor.holding(rollout) == "gate 'gaps' of wave 'staff': no sample yet"
    network.gates.say("gaps", "pass")
    await network.run(2.0)
    assert await network.begun() == [], "one sample of two"
    network.gates.say("gaps", "pass", "pass")
    await network.conductor.look()
    assert [move.channel for move in await network.begun()] == ["a", "b"]
    assert network.conductor.holding(rollout) == ""
    assert network.gates.watched == [], "it is asked before the wave only"


async def test_gate_that_is_inconclusive_again(network: Steered) -> None:
    """No more moves begin meanwhile; those under way go on."""
    network.gates.say("gaps", "pass", "pass")
    rollout = await network.started(gated("during"))
    await network.do("set", rollout=rollout, budget={"cold_in_flight": 1})
    await network.conductor.look()
    network.clock.advance(1.0)
    await network.conductor.look()
    assert [move.channel for move in await network.begun()] == ["a"]
    network.gates.say("gaps", "pass", "inconclusive", detail="no data")
    await network.run(5.0)
    assert await network.where("a", "b") == ["aws", "main"]
    assert network.conductor.holding(rollout) == "gate 'gaps' of wave 'staff': no data"
    network.gates.say("gaps", "pass", "pass")
    await network.run(3.0)
    assert await network.where("a", "b") == ["aws", "aws"]


async def test_gate_after_a_wave(network: Steered) -> None:
    """The next wave waits."""
    await network.started(gated("after"))
    await network.run(6.0)
    assert states(await network.rollout()) == ["soaking", "pending"]
    assert await network.where("a", "b", "c") == ["aws", "aws", "main"]
    network.gates.say("gaps", "pass", "pass")
    await network.run(8.0)
    assert (await network.rollout()).state == "finished"


@pytest.mark.parametrize("when", ["before", "during", "after"])
async def test_gate_that_fails_pauses(network: Steered, when: str) -> None:
    """The state says which one, why, and nothing begins any more."""
    network.gates.say("gaps", "pass" if when == "after" else "fail", "fail")
    if when == "after":
        network.gates.say("gaps", "fail", "fail", detail="3 gaps")
    else:
        network.gates.say("gaps", "fail", "fail", detail="3 gaps")
    await network.started(gated(when))
    await network.run(6.0)
    rollout = await network.rollout()
    assert (rollout.state, rollout.why) == ("paused", "gate 'gaps' of wave 'staff' failed: 3 gaps")
    assert rollout.history[-1][2] == "gate gaps"
    moved = ["aws", "aws"] if when == "after" else ["main", "main"]
    assert await network.where("a", "b") == moved
    assert network.gates.watched == []
    events = [event for event in await network.store.feed(after=0) if event.kind == "rollout.gate"]
    assert [(event.details["gate"], event.details["verdict"]) for event in events] == [("gaps", "fail")]


async def test_resumed_behind_a_gate(network: Steered) -> None:
    """It is asked again; passed over by an operator it is not."""
    network.gates.say("gaps", "fail", "fail")
    rollout = await network.started(gated("before"))
    assert (await network.rollout()).state == "paused"
    await network.do("resume", rollout=rollout)
    assert (await network.rollout()).state == "paused", "it fails still"
    network.gates.say("gaps", "pass", "pass")
    await network.do("resume", rollout=rollout)
    await network.run(3.0)
    assert await network.where("a", "b") == ["aws", "aws"]


async def test_passed_over(network: Steered) -> None:
    """By name, with a reason: it is not looked at any more."""
    network.gates.say("gaps", "fail", "fail")
    rollout = await network.started(gated("before"))
    refused = await network.do("approve", rollout=rollout, wave="staff", gate="gaps")
    assert (refused.state, refused.answer) == (
        "refused", "to pass over gate 'gaps' (metric) a reason is needed: add --reason TEXT",
    )  # fmt: skip
    await network.do("approve", rollout=rollout, wave="staff", gate="gaps", reason="known")
    await network.do("resume", rollout=rollout)
    await network.run(10.0)
    assert (await network.rollout()).state == "finished"


async def test_gate_that_fails_and_goes_on(network: Steered) -> None:
    """It is noted, once, and the gate is not asked again."""
    network.gates.say("gaps", "fail", "fail", detail="3 gaps")
    await network.started(gated("during", "continue"))
    await network.run(12.0)
    rollout = await network.rollout()
    assert rollout.state == "finished"
    assert rollout.waves[0].approved == ("gaps",)
    did = [event.details.get("did") for event in await network.store.feed(after=0) if event.kind == "rollout.gate"]
    assert did == [None, "continue"]


async def test_gate_that_fails_and_turns_back(network: Steered) -> None:
    """Its wave goes back to where it came from; the others stay as they are."""
    await network.started(gated("after", "reverse"))
    await network.run(5.0)
    assert await network.where("a", "b") == ["aws", "aws"]
    network.gates.say("gaps", "fail", "fail", detail="3 gaps")
    await network.run(5.0)
    rollout = await network.rollout()
    assert [(state, why) for state, _, _, why in rollout.history[1:]] == [
        ("reversing", "gate 'gaps' of wave 'staff' failed: 3 gaps"),
        ("paused", "what was to go back is back"),
    ], "those of the next wave have not gone anywhere"
    assert await network.where("a", "b", "c") == ["main"] * 3
    assert len(await network.begun()) == 4


async def test_verdicts_are_told_when_they_turn(network: Steered) -> None:
    """Not at every look."""
    network.gates.say("gaps", "pass")
    await network.started(gated("before"))
    await network.run(5.0)
    network.gates.say("gaps", "pass", "pass")
    await network.run(5.0)
    told = [event.details["verdict"] for event in await network.store.feed(after=0) if event.kind == "rollout.gate"]
    assert told == ["inconclusive", "pass"]


async def test_soak(network: Steered) -> None:
    """From the end of the wave's moves on; to the second."""
    rollout = await network.started(SOAKED)
    await network.run(5.0)
    since = (await network.rollout()).waves[0].since
    assert network.conductor.holding(rollout) == "gate 'soak' of wave 'staff': it soaks for 30 s"
    await network.run(since + 30.0 - network.clock.now() - 1.0)
    assert states(await network.rollout())[0] == "soaking"
    await network.run(2.0)
    assert states(await network.rollout())[0] == "done"


async def test_channels_of_a_wave_move_while_it_soaks(network: Steered) -> None:
    """One whose stream ended meanwhile."""
    await network.store.set_live("a", True, 0.0)
    await network.started(SOAKED)
    await network.run(5.0)
    assert states(await network.rollout())[0] == "soaking"
    await network.store.set_live("a", False, network.clock.now())
    await network.run(2.0)
    assert await network.where("a") == ["aws"]


async def test_approval(network: Steered) -> None:
    """The wave waits for somebody to say yes; it cannot be said of a wave without one."""
    rollout = await network.started(ASKED)
    await network.run(10.0)
    assert states(await network.rollout()) == ["done", "checking"]
    assert network.conductor.holding(rollout) == "gate 'boss' of wave 'all': it waits for an approval"
    refused = await network.do("approve", rollout=rollout, wave="staff")
    assert refused.answer == "wave staff waits for no approval; name the gate to pass over"
    await network.do("approve", rollout=rollout, wave="all")
    await network.run(5.0)
    assert (await network.rollout()).state == "finished"


async def test_all_at_once(network: Steered) -> None:
    """No gate, no soak, no approval."""
    await network.started(
        SOAKED.replace("rest = true", 'rest = true\n[[wave.gate]]\nkind = "approval"'), all_at_once=True
    )
    await network.run(8.0)
    assert (await network.rollout()).state == "finished"


async def test_open_issue_holds_the_next_wave(network: Steered) -> None:
    """This one goes on; when it is right again so does the next."""
    rollout = await network.started()
    issue = await network.do("issue-add", rollout=rollout, text="no emotes")
    await network.run(10.0)
    assert await network.where("a", "b", "c") == ["aws", "aws", "main"]
    assert states(await network.rollout()) == ["done", "checking"]
    assert network.conductor.holding(rollout) == f"open issue {issue.id} (olga): no emotes"
    await network.do("issue-resolve", rollout=rollout, issue=issue.id, resolution="cache")
    await network.run(5.0)
    assert (await network.rollout()).state == "finished"


async def test_issue_of_a_later_wave(network: Steered) -> None:
    """It holds that one, not those before."""
    rollout = await network.started()
    await network.do("issue-add", rollout=rollout, text="not these", wave="all")
    await network.run(10.0)
    assert states(await network.rollout()) == ["done", "checking"]


# the rest, and what appears ---------------------------------------------------------------------


async def test_newcomers_of_the_rest(network: Steered) -> None:
    """Channels that got a row since the plan, before the default placement has moved."""
    await network.started(ASKED)
    await network.run(5.0)
    await network.store.pin(["late"])
    await network.store.set_facts([Facts("shy", opt="out"), Facts("known")])
    await network.store.pin(["shy"])
    await network.do("approve", rollout=(await network.rollout()).id, wave="all")
    await network.run(SWEEP + 10.0)
    assert (await network.item("late")).wave == 1
    assert (await network.item("known")).wave == 1, "it got its row when the default placement moved"
    assert await network.store.items_of("shy") == [], "it had opted out"
    assert await network.where("late", "known", "shy", "nobody_knows") == ["aws", "aws", "main", "aws"]
    assert (await network.rollout()).state == "finished"


async def test_newcomers_go_in_the_wave_that_fits(network: Steered) -> None:
    """As the plan would have it: a mandatory wave takes those that opted out too."""
    rollout = await network.started(WITH_TIERS)
    await network.run(3.0)
    await network.store.set_facts([Facts("boss", tier="staff", opt="out"), Facts("shy", opt="out")])
    await network.store.pin(["boss", "shy", "late"])
    await network.do("approve", rollout=rollout, wave="all")
    await network.run(SWEEP + 10.0)
    assert [(await network.item(name)).wave for name in ("boss", "late")] == [0, 1]
    assert await network.where("boss", "late", "shy") == ["aws", "aws", "main"]


async def test_newcomers_by_size(network: Steered) -> None:
    """How many are there now counts, as in the plan."""
    rollout = await network.started(ASKED.replace('channels = ["a", "b"]', "min_members = 50"))
    await network.run(3.0)
    network.people.hot("large", members=60)
    await network.store.pin(["large", "small"])
    await network.do("approve", rollout=rollout, wave="all")
    await network.run(SWEEP + 10.0)
    assert [(await network.item(name)).wave for name in ("large", "small")] == [0, 1]


async def test_held_channel_without_a_row_stays(network: Steered) -> None:
    """The default placement does not take it along."""
    await network.store.hold(Hold("odd", "olga", "a party", 0.0))
    await network.started()
    await network.run(15.0)
    assert await network.where("odd", "nobody_knows") == ["main", "aws"]
    await network.store.release_hold("odd")
    await network.run(5.0)
    assert await network.where("odd") == ["aws"]
    assert (await network.rollout()).state == "finished"


async def test_named_channel_that_nobody_knows(network: Steered) -> None:
    """It is the rollout's like any other: skipped it stays, though it had no row."""
    rollout = await network.started(
        PLAIN.replace('"a", "b"', '"a", "b", "ghost", "spirit"').replace(
            "offline_for = 0", "offline_for = 0\n[budget]\ncold_in_flight = 1"
        )
    )
    await network.do("skip", rollout=rollout, channel="ghost", reason="a ghost")
    await network.run(25.0)
    assert (await network.rollout()).state == "finished"
    assert await network.where("ghost", "spirit", "nobody_knows") == ["main", "aws", "aws"]
    assert (await network.item("ghost")).state == "skipped"


# back -------------------------------------------------------------------------------------------


async def test_all_goes_back(network: Steered) -> None:
    """With the default placement, and with what got its row meanwhile on the new cluster."""
    rollout = await network.started()
    await network.run(12.0)
    await network.store.pin(["late"])
    assert await network.where("late") == ["aws"]
    wish = await network.do("reverse", rollout=rollout, all=True, reason="no good")
    assert wish.answer == "everything goes back to where it came from, and so does the default placement"
    await network.run(SWEEP + 10.0)
    assert (await network.rollout()).state == "reversed"
    assert await network.where("a", "b", "c", "d", "late", "nobody_knows") == ["main"] * 6
    late = await network.item("late")
    assert (late.goal, late.origin, late.wave) == ("back", "main", 1)
    assert (await network.store.default_placement()).epoch == 3, "each change is another epoch"


async def test_what_was_there_before_does_not_go_back(network: Steered) -> None:
    """A channel that lived on the target before the rollout is none of its."""
    network.clock.advance(1.0)
    await network.store.pin(["native"])
    native = Move("m", "native", "aws", "wished", history=(("wished", 0.0),))
    await network.mover.carry(await network.store.begin_move(native))
    rollout = await network.started()
    await network.run(12.0)
    await network.do("reverse", rollout=rollout, all=True)
    await network.run(SWEEP + 10.0)
    assert (await network.rollout()).state == "reversed"
    assert await network.where("native", "a") == ["aws", "main"]
    assert await network.store.items_of("native") == []


async def test_one_wave_goes_back(network: Steered) -> None:
    """The rest stays there, and the rollout is finished again."""
    rollout = await network.started()
    await network.run(12.0)
    await network.do("reverse", rollout=rollout, wave="staff")
    await network.run(8.0)
    assert await network.where("a", "b", "c", "d", "nobody_knows") == ["main", "main", "aws", "aws", "aws"]
    assert (await network.rollout()).state == "finished"


async def test_one_channel_goes_back(network: Steered) -> None:
    """While the rollout goes on."""
    rollout = await network.started(SOAKED)
    await network.run(5.0)
    await network.do("reverse", rollout=rollout, channel="#A")
    await network.run(5.0)
    assert await network.where("a", "b") == ["main", "aws"]
    assert (await network.rollout()).state == "running"
    await network.run(45.0)
    assert (await network.rollout()).state == "finished"
    assert await network.where("a", "b", "c") == ["main", "aws", "aws"]


async def test_live_channel_waits_on_the_way_back(network: Steered) -> None:
    """Unless a reason was given to move live ones too."""
    rollout = await network.started()
    await network.run(12.0)
    await network.store.set_live("a", True, network.clock.now())
    await network.do("reverse", rollout=rollout, all=True)
    await network.run(SWEEP + 10.0)
    assert await network.where("a", "b") == ["aws", "main"]
    assert (await network.rollout()).state == "reversing"
    await network.do("reverse", rollout=rollout, all=True, force=True, reason="fire")
    await network.run(5.0)
    assert await network.where("a") == ["main"]
    found = await network.rollout()
    assert found.state == "reversed"
    assert [item.force for item in await network.store.items(rollout)] == [False] * len(
        await network.store.items(rollout)
    )


async def test_forward_again(network: Steered) -> None:
    """From the first wave; what was approved counts no more."""
    rollout = await network.started(ASKED)
    await network.run(8.0)
    await network.do("approve", rollout=rollout, wave="all")
    await network.run(5.0)
    await network.do("reverse", rollout=rollout, all=True)
    await network.run(SWEEP + 10.0)
    assert (await network.rollout()).state == "reversed"
    await network.do("resume", rollout=rollout)
    await network.run(10.0)
    assert states(await network.rollout()) == ["done", "checking"]
    assert await network.where("a", "c", "nobody_knows") == ["aws", "main", "main"]
    await network.do("approve", rollout=rollout, wave="all")
    await network.run(10.0)
    assert (await network.rollout()).state == "finished"
    assert await network.where("a", "b", "c", "d", "nobody_knows") == ["aws"] * 5


async def test_abort(network: Steered) -> None:
    """What is not sealed is cancelled, and nothing begins any more; it can still go back."""
    rollout = await network.started()
    network.clock.advance(1.0)
    await network.conductor.look()
    moves = await network.begun()
    assert len(moves) == 2
    sealed = await network.mover.carry(moves[0])
    await network.do("abort", rollout=rollout, reason="no good")
    await network.run(10.0)
    assert (await network.rollout()).state == "aborted"
    assert await network.where("a", "b") == ["aws", "main"]
    assert sealed.channel == "a"
    assert len(await network.begun()) == 2
    cancelled = await network.store.move(moves[1].id)
    assert cancelled
    assert (cancelled.state, cancelled.error) == ("cancelled", "the rollout was aborted by olga")
    await network.do("reverse", rollout=rollout, all=True)
    await network.run(8.0)
    assert (await network.rollout()).state == "reversed"
    assert await network.where("a", "b") == ["main", "main"]
