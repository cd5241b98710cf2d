"""Wishes: each verb done, tried dry without a trace, and refused with what to do instead."""

from __future__ import annotations

from typing import Any

import pytest

from godwit.control import prepared as module
from godwit.control.prepared import sized
from godwit.errors import InvalidRequest
from godwit.rollout.values import Candidate, Facts, RolloutState, Wish
from godwit.rollout.verbs import VERBS, check
from godwit.values import Account, Move
from godwit.web.planning import Planner
from godwit.web.rollout_views import PlanRequest
from tests.control.steered import CLUSTERS, PLAIN, Steered

SMALL = "set: in_flight must be a whole number between 1 and 100000; `pause` stops everything"

BOSS = PLAIN.replace("rest = true", 'rest = true\n[[wave.gate]]\nkind = "approval"\nname = "boss"')
CALLS: dict[str, dict[str, Any]] = {
    "start": {"toml": PLAIN, "replan": True},
    "pause": {},
    "resume": {},
    "abort": {"reason": "no good"},
    "reverse": {"all": True},
    "skip": {"channel": "c"},
    "retry": {"channel": "d"},
    "set": {"budget": {"in_flight": 3}},
    "approve": {"wave": "all"},
    "issue-add": {"text": "odd"},
    "issue-resolve": {"issue": "known", "resolution": "right"},
    "hold": {"channel": "x", "reason": "a party"},
    "release": {"channel": "held"},
    "evacuate": {"cluster": "event", "into": "aws", "reason": "fire"},
    "default": {"cluster": "event"},
    "retire": {"cluster": "event", "into": "aws"},
    "restore": {"cluster": "main"},
    "repair": {},
    "act": {"channel": "x", "kind": "ban", "login": "ann"},
    "usernotice": {"channel": "x", "kind": "sub", "login": "ann"},
}
"""What each verb is asked for in `prepared`, where it is done."""

STATES: tuple[RolloutState, ...] = ("running", "paused", "reversing", "reversed", "aborted", "finished")


@pytest.fixture
async def network() -> Steered:
    network = Steered()
    await network.begin("a", "b", "c", "d")
    await network.store.add_account(Account("7", "ann"))
    return network


async def prepared(network: Steered, state: RolloutState = "running") -> str:
    """A rollout in a state, with an open issue, a skipped channel (d), one that is held and a retired cluster."""
    rollout = await network.started(BOSS)
    await network.do("skip", rollout=rollout, channel="d")
    await network.store.add_wish(Wish("known", "issue-add", "olga", 0.0, rollout, {"text": "odd"}))
    await network.do("hold", channel="held", reason="a party")
    await network.store.retire("main", "aws", 0.0)
    await network.run(3.0)
    if state == "finished":
        await see_through(network, rollout)
    elif state == "reversing":
        await network.store.set_live("a", True, network.clock.now())
        await network.do("reverse", rollout=rollout, all=True)
        await network.run(8.0)
    elif state == "reversed":
        await network.do("reverse", rollout=rollout, all=True)
        await network.run(8.0)
    elif state != "running":
        await network.do({"paused": "pause", "aborted": "abort"}[state], rollout=rollout)
        await network.run(2.0)
    assert (await network.rollout()).state == state
    return rollout


async def see_through(network: Steered, rollout: str) -> None:
    """Nothing holds it back any more."""
    await network.do("approve", rollout=rollout, wave="all")
    await network.do("issue-resolve", rollout=rollout, issue="known")
    await network.do("release", channel="held")
    await network.run(15.0)


def of(verb: str, rollout: str) -> dict[str, Any]:
    """The arguments of a verb, with the rollout if it concerns one."""
    return CALLS[verb] | ({"rollout": rollout} if VERBS[verb].states else {})


def first_state(verb: str) -> RolloutState:
    return VERBS[verb].states[0] if VERBS[verb].states else "running"


# every verb -------------------------------------------------------------------------------------


def test_all_verbs_are_tried() -> None:
    assert set(CALLS) == set(VERBS)


async def at_hand(network: Steered, verb: str) -> str:
    """What a verb needs to be done."""
    if verb in ("start", "evacuate"):
        return ""
    network.repairs = ["settle #x"]
    return await prepared(network, first_state(verb))


@pytest.mark.parametrize("verb", VERBS)
async def test_dry_run_changes_nothing(network: Steered, verb: str) -> None:
    """Of all that store and logs hold; and it answers what the act answers."""
    rollout = await at_hand(network, verb)
    before, repaired = network.contents(), network.repaired
    wish = network.wish(verb, **of(verb, rollout))
    said = await network.wishes.dry_run(wish)
    assert network.contents() == before
    assert network.repaired == repaired
    await network.store.add_wish(wish)
    await network.conductor.look()
    done = await network.store.wish(wish.id)
    assert done
    assert done.state == "done", done.answer
    assert said in done.answer
    assert network.contents() != before


@pytest.mark.parametrize("state", STATES)
async def test_states(network: Steered, state: RolloutState) -> None:
    """A verb that the state does not allow is refused, names the states that do, and changes nothing but its answer."""
    rollout = await prepared(network, state)
    refused = [verb for verb, row in VERBS.items() if row.states and state not in row.states]
    for verb in refused:
        before = await network.rollout()
        items = await network.store.items(rollout)
        with pytest.raises(InvalidRequest) as why:
            check(network.wish(verb, **of(verb, rollout)), state)
        with pytest.raises(InvalidRequest) as dry:
            await network.prepare(verb, **of(verb, rollout))
        answered = await network.do(verb, **of(verb, rollout))
        assert answered.state == "refused"
        assert answered.answer == str(why.value) == str(dry.value)
        assert all(allowed in answered.answer for allowed in VERBS[verb].states)
        assert await network.rollout() == before
        assert await network.store.items(rollout) == items


@pytest.mark.parametrize("verb", [verb for verb, row in VERBS.items() if row.states])
async def test_no_such_rollout(network: Steered, verb: str) -> None:
    answered = await network.do(verb, **of(verb, "nowhere"))
    assert (answered.state, answered.answer) == ("refused", "there is no rollout nowhere: see `godwit rollout list`")


@pytest.mark.parametrize(
    ("verb", "args", "says"),
    [
        ("reverse", {}, "reverse needs one of a channel, a wave, or all"),
        ("reverse", {"all": True, "channel": "a"}, "reverse needs one of a channel, a wave, or all"),
        ("reverse", {"wave": "nobody"}, "no wave 'nobody': the waves are staff, all"),
        ("reverse", {"channel": "zed"}, "#zed is not part of rollout autumn"),
        ("skip", {"channel": "not a name"}, "'not a name' is not a channel name: use 1 to 25 of a-z, 0-9 and _"),
        ("skip", {"channel": "a"}, "#a is done: bring it back with reverse --channel"),
        ("retry", {}, "no channel has failed: nothing to try again; name a skipped one with its channel"),
        ("retry", {"channel": "a"}, "#a is done: only failed and skipped ones are tried again"),
        ("set", {"budget": {"speed": 1}},
         "set takes name=value, the names are in_flight, cold_in_flight, hot_per_second, cold_per_second"),
        ("set", {"budget": {"in_flight": 0}}, SMALL),
        ("set", {"budget": {"in_flight": "many"}}, SMALL),
        ("approve", {"wave": "all", "gate": "nobody"}, "wave all has no gate 'nobody': it has boss"),
        ("issue-resolve", {"issue": "odd"}, "no issue odd: there are known"),
        ("issue-add", {"text": "odd", "wave": "third"}, "no wave 'third': the waves are staff, all"),
    ],
)  # fmt: skip
async def test_refused(network: Steered, verb: str, args: dict[str, Any], says: str) -> None:
    """Each says what to do instead."""
    rollout = await prepared(network)
    answered = await network.do(verb, rollout=rollout, **args)
    assert (answered.state, answered.answer) == ("refused", says)


@pytest.mark.parametrize(
    ("verb", "args", "says"),
    [
        ("release", {"channel": "a"}, "#a is not held"),
        ("default", {"cluster": "main"}, "channels without a row are on main already: nothing to do"),
        ("default", {"cluster": "mars"}, "no cluster 'mars' for channels: choose one of main, aws, event"),
        ("retire", {"cluster": "aws", "into": "aws"}, "retire: aws and aws must be two clusters"),
        ("restore", {"cluster": "aws"}, "aws is not retired"),
        ("evacuate", {"cluster": "main", "into": "mars", "reason": "x"},
         "no cluster 'mars' for channels: choose one of main, aws, event"),
    ],
)  # fmt: skip
async def test_refused_of_the_network(network: Steered, verb: str, args: dict[str, Any], says: str) -> None:
    answered = await network.do(verb, **args)
    assert (answered.state, answered.answer) == ("refused", says)


# start ------------------------------------------------------------------------------------------


async def test_hash(network: Steered) -> None:
    """Nobody starts what was not looked at."""
    missing = await network.do("start", toml=PLAIN)
    assert missing.state == "refused"
    told = missing.answer.partition("its hash is ")[2].split()[0]
    wrong = await network.do("start", toml=PLAIN, hash="0" * 16)
    assert wrong.answer.startswith(f"the plan is {told} now, not {'0' * 16}: ")
    await network.store.set_facts([Facts("newcomer")])
    changed = await network.do("start", toml=PLAIN, hash=told)
    assert changed.state == "refused"
    assert await network.store.rollouts() == []
    replanned = await network.do("start", toml=PLAIN, hash=told, replan=True)
    assert replanned.state == "done"


@pytest.mark.parametrize("names", ["a", "ghost", "spirit"])
async def test_hash_is_that_of_the_plan(network: Steered, names: str) -> None:
    """Of channels that nobody knows too, and with sizes as they are now."""
    toml = PLAIN.replace('"a", "b"', f'"{names}"').replace(
        "[[wave]]", '[[wave]]\nmin_members = 5\nname = "l"\n[[wave]]', 1
    )
    network.people.hot("c", "spirit", members=9)
    planner = Planner(network.store, network.clock, CLUSTERS, network.people.presence)
    planned = await planner.plan(PlanRequest(toml=toml))
    large = ["c", "spirit"] if names == "spirit" else ["c"]
    assert list(planned.waves[0].first) == large
    started = await network.do("start", toml=toml, hash=planned.hash)
    assert started.state == "done", started.answer


async def test_named_channels_get_a_row(network: Steered) -> None:
    """They are the rollout's now; of others nobody hears."""
    await network.started(PLAIN.replace('"a", "b"', '"a", "ghost"'))
    assert "ghost" in [row.channel for row in await network.store.rows()]
    assert (await network.item("ghost")).wave == 0


async def test_names_beyond_a_page(network: Steered, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE", 3)
    channels = [f"c{number}" for number in range(10)]
    rollout = await network.started(PLAIN.replace('"a", "b"', ", ".join(f'"{name}"' for name in channels)))
    assert len(await network.store.items(rollout)) == 14


async def test_bad_file(network: Steered) -> None:
    """With its line, as everywhere."""
    gate = '\n[[wave.gate]]\nkind = "metric"\nvalue = "{}"\nat_most = 1\n'
    answered = await network.do("start", toml=PLAIN + gate.format("gasp"), replan=True)
    assert answered.state == "refused"
    assert "rollout.toml:14: wave 'all', gate 'metric': value 'gasp' is not known" in answered.answer
    answered = await network.do("start", toml=PLAIN.replace('"aws"', '"mars"'), replan=True)
    assert "rollout.toml:3:" in answered.answer
    good = await network.do("start", toml=PLAIN + gate.format("gaps@aws"), replan=True)
    assert good.state == "done"


async def test_one_at_a_time(network: Steered) -> None:
    """What is not over must be ended first."""
    rollout = await network.started()
    second = await network.do("start", toml=PLAIN, replan=True)
    assert second.answer == f"rollout autumn ({rollout}) is running: abort or reverse it first, or wait for its end"
    await network.do("abort", rollout=rollout)
    assert (await network.do("start", toml=PLAIN, replan=True)).state == "done"


# others -----------------------------------------------------------------------------------------


async def test_set(network: Steered) -> None:
    """What is not named stays; text that is a number is one."""
    rollout = await prepared(network)
    answered = await network.do("set", rollout=rollout, budget={"in_flight": "3", "hot_per_second": 0.5})
    assert answered.answer == "in_flight 20 -> 3, hot_per_second 1.0 -> 0.5"
    budget = (await network.rollout()).budget
    assert (budget.in_flight, budget.hot_per_second, budget.cold_in_flight) == (3, 0.5, 1000)


async def test_resume_goes_on_the_way_it_was_going(network: Steered) -> None:
    """Back, if it was going back and there is something left to bring."""
    rollout = await prepared(network, "reversing")
    await network.do("pause", rollout=rollout)
    assert (await network.do("resume", rollout=rollout)).answer == "it goes on, reversing"
    assert (await network.rollout()).state == "reversing"


async def test_skip_and_retry(network: Steered) -> None:
    """What was left out can be taken in again."""
    rollout = await prepared(network)
    await see_through(network, rollout)
    assert await network.where("c", "d") == ["aws", "main"]
    answered = await network.do("retry", rollout=rollout, channel="#D")
    assert answered.answer == "one channel is tried again: #d"
    await network.run(5.0)
    assert await network.where("d") == ["aws"]
    assert (await network.rollout()).state == "finished"


async def test_skip_of_one_that_moves(network: Steered) -> None:
    rollout = await network.started()
    network.clock.advance(1.0)
    await network.conductor.look()
    answered = await network.do("skip", rollout=rollout, channel="a")
    assert answered.answer == f"#a is moving already ({rollout}.a.1): wait for its end, then reverse it"


async def test_issue_resolved_twice(network: Steered) -> None:
    rollout = await prepared(network)
    await network.do("issue-resolve", rollout=rollout, issue="known", resolution="cache")
    [issue] = await network.store.issues(rollout)
    assert (issue.resolved_by, issue.resolution, issue.resolved) == ("olga", "cache", network.clock.now())
    again = await network.do("issue-resolve", rollout=rollout, issue="known")
    assert again.answer == "issue known was resolved already, by olga"


async def test_evacuate(network: Steered) -> None:
    """A rollout of its own, by force: live channels too, gates and opting out do not matter; lines may be lost."""
    await network.store.set_live("a", True, 0.0)
    await network.store.set_facts([Facts("b", opt="out")])
    answered = await network.do("evacuate", cluster="main", into="event", reason="fire")
    assert answered.answer.endswith("by force: lines may be lost, and are counted")
    await network.run(8.0)
    assert (await network.rollout()).state == "finished"
    assert await network.where("a", "b", "c", "d", "nobody_knows") == ["event"] * 5
    assert {(move.evacuate, move.forced, move.reason) for move in await network.begun()} == {(True, True, "fire")}


async def test_default(network: Steered) -> None:
    """With the next epoch, and nobody writes to what it holds for a lease (rule C10)."""
    await network.do("default", cluster="aws")
    placement = await network.store.placement("nobody_knows")
    assert (placement.segment.cluster, placement.segment.epoch) == ("aws", 2)
    assert placement.drain_until == network.clock.now() + 10.0
    assert await network.where("a") == ["main"]


async def test_retire(network: Steered) -> None:
    """Only when nothing needs the cluster; and never into one that is retired itself."""
    network.retirable = ["4 channels are there", "2 moves name it"]
    answered = await network.do("retire", cluster="main", into="aws")
    assert answered.answer == "main cannot be retired yet: 4 channels are there; 2 moves name it"
    network.retirable = []
    await network.do("retire", cluster="main", into="aws")
    assert await network.store.retired() == {"main": "aws"}
    answered = await network.do("retire", cluster="event", into="main")
    assert answered.answer == "main is retired into aws: choose another one, or `cluster restore main` first"
    await network.do("restore", cluster="main")
    assert await network.store.retired() == {}


async def test_repair(network: Steered) -> None:
    assert (await network.do("repair")).answer == "nothing to repair"
    assert network.repaired == 0
    network.repairs = ["settle #a", "settle #b"]
    assert (await network.do("repair")).answer == "2 steps: settle #a; settle #b"
    assert network.repaired == 1


async def test_sizes() -> None:
    """The larger of what was known and what is there."""
    network = Steered()
    await network.begin("a", "b")
    await network.store.set_facts([Facts("a", members=7), Facts("b", members=2)])
    network.people.hot("a", "b", members=5)
    found: list[Candidate] = await sized(network.people, await network.store.candidates())
    assert [candidate.facts.members for candidate in found] == [7, 5]


async def test_channel_that_moves_by_hand_is_none_of_abort(network: Steered) -> None:
    """Abort cancels the rollout's moves only."""
    rollout = await network.started()
    by_hand = await network.store.begin_move(Move("m", "zed", "event", "wished", history=(("wished", 0.0),)))
    await network.do("abort", rollout=rollout)
    assert await network.store.move("m") == by_hand
