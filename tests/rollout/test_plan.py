"""Which channel goes in which wave, why others stay, and what the hash covers."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from godwit.errors import InvalidRequest
from godwit.rollout.plan import Plan, Sorter, differences, items, make, named
from godwit.rollout.values import Candidate, Definition, Facts, Hold, Item, Wave
from godwit.values import Placement, Segment

STAFF = Wave("staff", channels=("ann", "bob"))
PARTNERS = Wave("partners", tiers=("partner",))
REST = Wave("rest", rest=True)
DEFINITION = Definition("to-aws", "aws", (STAFF, PARTNERS, REST))
NOW = 1000.0


def channel(name: str, cluster: str = "main", *, live: bool = False, default: bool = False, **facts: Any) -> Candidate:
    placement = Placement(name, Segment(cluster, 1, 0, "s"), default=default)
    return Candidate(placement, Facts(name, **facts), live=live)


def names(plan: Plan) -> list[list[str]]:
    return [[candidate.channel for candidate in wave] for wave in plan.waves]


def test_the_first_wave_that_fits_takes_a_channel() -> None:
    channels = [channel("ann", tier="partner"), channel("cid", tier="partner"), channel("dee")]
    assert names(make(DEFINITION, channels, now=NOW)) == [["ann"], ["cid"], ["dee"]]


def test_the_largest_go_last_within_a_wave() -> None:
    sizes = {"a": 50, "b": 1000, "c": 0, "d": 50}
    channels = [channel(name, members=members) for name, members in sizes.items()]
    assert names(make(Definition("r", "aws", (REST,)), channels, now=NOW)) == [["c", "a", "d", "b"]]


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        (channel("ann", "aws"), "already on aws"),
        (channel("ann", "event"), "on event, which channels are not taken from"),
        (channel("ann", opt="out"), "opted out, and no mandatory wave takes it"),
        (channel("zoe"), "no wave takes it"),
        (channel("godwit__probe_main"), "a hidden room of Godwit's own"),
        (channel("_ann_1234567890123", "group"), "a group room"),
    ],
)
def test_whoever_is_left_out_has_one_reason(candidate: Candidate, reason: str) -> None:
    plan = make(Definition("r", "aws", (STAFF, PARTNERS), sources=("main",)), [candidate], now=NOW)
    assert plan.excluded == ((candidate.channel, reason),)
    assert names(plan) == [[], []]


def test_without_sources_all_clusters_but_group_are() -> None:
    channels = [channel("ann", "main"), channel("bob", "event"), channel("cid", "group"), channel("dee", "aws")]
    plan = make(DEFINITION, channels, now=NOW)
    assert names(plan) == [["ann", "bob"], [], []]
    assert dict(plan.excluded) == {"cid": "on group, which channels are not taken from", "dee": "already on aws"}


def test_opting_out_helps_until_a_mandatory_wave() -> None:
    mandatory = Wave("all", mandatory=True, tiers=("partner", ""))
    definition = Definition("r", "aws", (STAFF, mandatory, REST))
    channels = [channel("ann", opt="out"), channel("bob"), channel("cid", opt="out", tier="staff")]
    plan = make(definition, channels, now=NOW)
    assert names(plan) == [["bob"], ["ann"], []]
    assert plan.excluded == (("cid", "opted out, and no mandatory wave takes it"),)


def test_held_and_live_channels_are_planned() -> None:
    held = msgspec.structs.replace(channel("ann"), hold=Hold("ann", "eve", "a show", 1.0))
    assert names(make(DEFINITION, [held, channel("bob", live=True)], now=NOW)) == [["ann", "bob"], [], []]


def test_names_that_nobody_knows_are_warned_of() -> None:
    assert make(DEFINITION, [channel("ann")], now=NOW).unknown == ("bob",)
    plan = make(DEFINITION, [channel("ann", default=True), channel("bob", default=True, tier="staff")], now=NOW)
    assert plan.unknown == ("ann",)
    assert names(plan)[0] == ["ann", "bob"]


def test_named_channels_of_all_waves() -> None:
    assert named(Definition("r", "aws", (STAFF, Wave("more", channels=("al", "bob"))))) == ["al", "ann", "bob"]


def test_an_evacuation_says_of_what() -> None:
    definition = msgspec.structs.replace(DEFINITION, evacuate=True)
    with pytest.raises(InvalidRequest, match="name the clusters"):
        make(definition, [], now=NOW)
    assert names(make(msgspec.structs.replace(definition, sources=("main",)), [channel("ann")], now=NOW))[0] == ["ann"]


# the hash -----------------------------------------------------------------------------------------

CHANNELS = [channel("ann"), channel("bob", members=3), channel("cid", tier="partner")]
PLAN = make(DEFINITION, CHANNELS, now=NOW)


def test_the_hash_knows_no_order_and_no_time() -> None:
    assert len(PLAN.hash) == 16
    assert PLAN.hash == make(DEFINITION, reversed(CHANNELS), now=NOW + 1).hash


@pytest.mark.parametrize(
    "other",
    [
        [msgspec.structs.replace(CHANNELS[0], live=True, live_since=5.0), *CHANNELS[1:]],
        [msgspec.structs.replace(CHANNELS[0], hold=Hold("ann", "eve", "a show", 1.0)), *CHANNELS[1:]],
        [channel("ann", members=500, rate=2.0), *CHANNELS[1:]],
        [*CHANNELS, channel("dee", "aws")],
    ],
    ids=["live", "held", "larger", "another that stays"],
)
def test_what_changes_by_the_minute_is_not_in_the_hash(other: list[Candidate]) -> None:
    assert make(DEFINITION, other, now=NOW).hash == PLAN.hash


@pytest.mark.parametrize(
    "other",
    [
        CHANNELS[1:],
        [*CHANNELS, channel("dee")],
        [channel("ann", "event"), *CHANNELS[1:]],
        [channel("ann", "aws"), *CHANNELS[1:]],
        [channel("ann", opt="out"), *CHANNELS[1:]],
        [*CHANNELS[:2], channel("cid")],
    ],
    ids=["one less", "one more", "elsewhere", "moved", "opted out", "another wave"],
)
def test_what_changes_the_plan_is_in_the_hash(other: list[Candidate]) -> None:
    assert make(DEFINITION, other, now=NOW).hash != PLAN.hash


@pytest.mark.parametrize("change", [{"name": "x"}, {"offline_for": 1.0}, {"waves": (STAFF, REST)}, {"reason": "x"}])
def test_the_definition_is_in_the_hash(change: dict[str, Any]) -> None:
    assert make(msgspec.structs.replace(DEFINITION, **change), CHANNELS, now=NOW).hash != PLAN.hash


# items and differences ----------------------------------------------------------------------------


def test_items_are_the_plan_as_rows() -> None:
    assert items(PLAN, "r1", 5.0) == (
        Item("r1", "ann", 0, "main", since=5.0),
        Item("r1", "bob", 0, "main", since=5.0),
        Item("r1", "cid", 1, "main", since=5.0),
    )


def test_no_difference_is_told_where_there_is_none() -> None:
    assert differences(items(PLAN, "r1", 5.0), PLAN) == []


def test_every_difference_is_told() -> None:
    old = items(PLAN, "r1", 5.0)
    new = make(DEFINITION, [channel("ann", "event"), channel("cid", tier="staff"), channel("dee")], now=NOW)
    assert differences(old, new) == [
        "#cid: in wave 'rest', no longer in 'partners'",
        "#dee: new, in wave 'rest'",
        "#bob: no longer planned: nothing is known of it any more",
        "#ann: now on event, no longer on main",
    ]


def test_many_channels_of_one_difference_are_counted() -> None:
    new = make(DEFINITION, [*CHANNELS, *(channel(f"x{number}") for number in range(7))], now=NOW)
    assert differences(items(PLAN, "r1", 5.0), new) == [
        "7 channels (#x0, #x1, #x2, #x3, #x4, ...): new, in wave 'rest'"
    ]


def test_a_channel_that_has_moved_is_told_with_its_reason() -> None:
    new = make(DEFINITION, [channel("ann", "aws"), *CHANNELS[1:]], now=NOW)
    assert differences(items(PLAN, "r1", 5.0), new) == ["#ann: no longer planned: already on aws"]


candidates = st.builds(
    channel,
    st.sampled_from(["ann", "bob", "cid", "dee", "eve", "fay"]),
    st.sampled_from(["main", "event", "aws", "group"]),
    live=st.booleans(),
    tier=st.sampled_from(["", "partner", "staff"]),
    opt=st.sampled_from(["", "in", "out"]),
    members=st.integers(0, 5),
)
waves = st.builds(
    Wave,
    st.just("w"),
    tiers=st.sampled_from([(), ("partner",)]),
    opt_in=st.booleans(),
    percent=st.none() | st.just(50.0),
    mandatory=st.booleans(),
    match=st.sampled_from(["", "members < 3"]),
)


@given(st.lists(candidates, unique_by=lambda one: one.channel), st.lists(waves, min_size=1, max_size=4))
def test_every_channel_goes_once_or_has_a_reason(channels: list[Candidate], steps: list[Wave]) -> None:
    definition = Definition("r", "aws", tuple(steps))
    plan = make(definition, channels, now=NOW)
    planned = [name for wave in names(plan) for name in wave]
    left = [name for name, reason in plan.excluded if reason]
    assert sorted(planned + left) == sorted(one.channel for one in channels)
    sorter = Sorter(definition)
    for index, wave in enumerate(plan.waves):
        members = [one.facts.members for one in wave]
        assert members == sorted(members)
        for one in wave:
            assert sorter.place(one) == index
            assert one.cluster not in ("aws", "group")
            assert steps[index].mandatory or one.facts.opt != "out"
