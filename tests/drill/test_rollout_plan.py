"""The network of the rollout drill."""

from __future__ import annotations

import json
from typing import Any

import pytest

from godwit.drill.rollout_plan import (
    DESK,
    EVERYONE,
    FRIENDS,
    PARTNERS,
    STAFF,
    RolloutOptions,
    crowd,
    definition,
    facts,
    help_of,
    network,
)
from godwit.errors import InvalidSetting

SIZES = [RolloutOptions(), RolloutOptions(channels=300, hot=12), RolloutOptions(channels=100, hot=12, crowd=1)]


@pytest.mark.parametrize("options", SIZES)
def test_parts_do_not_get_in_each_others_way(options: RolloutOptions) -> None:
    """Each wave has hot and cold channels; nobody is in two waves, and each stream begins and ends by one rule."""
    net = network(options)
    assert (len(net.names), len(net.hot)) == (options.channels, options.hot)
    waves = [net.staff, net.friends, net.partners]
    assert len({channel for wave in waves for channel in wave}) == sum(map(len, waves))
    for wave in waves:
        assert set(wave) & set(net.hot)
        assert set(wave) - set(net.hot)
    streams = [net.early, net.patient, net.returning, net.late]
    assert len({channel for group in streams for channel in group}) == sum(map(len, streams))
    named = {*net.opted_out, *net.rowless, *(channel for group in (*waves, *streams) for channel in group)}
    assert named <= set(net.names)
    assert not set(net.rowless) & {*net.hot, *net.opted_out, *(channel for wave in waves for channel in wave)}
    assert not set(net.empty) & set(net.names)


@pytest.mark.parametrize("options", SIZES)
def test_some_streams_keep_each_way_waiting(options: RolloutOptions) -> None:
    """Those that begin on the new cluster are of waves that have moved by then; the last wave has some, too."""
    net = network(options)
    first = {*net.staff, *net.friends}
    assert set(net.returning) <= first
    assert set(net.patient) & first
    assert set(net.patient) - {*first, *net.partners}
    assert set(net.late) & set(net.rowless)


def test_what_operators_know() -> None:
    options = RolloutOptions(channels=300, hot=12)
    net = network(options)
    rows: dict[str, Any] = {row["channel"]: row for row in map(json.loads, facts(net, 20).splitlines())}
    assert set(rows) == set(net.names) - set(net.rowless)
    assert {name for name, row in rows.items() if row["tier"] == "staff"} == set(net.staff)
    assert {name for name, row in rows.items() if row["opt"] == "in"} == set(net.friends)
    assert {name for name, row in rows.items() if row["opt"] == "out"} == set(net.opted_out)
    assert set(net.opted_out) & set(net.partners)
    assert [name for name, row in rows.items() if row.get("members")] == [net.names[0]]


def test_the_crowd() -> None:
    """Nobody has the bot's name, nobody is in more channels than it may join at once."""
    options = RolloutOptions(channels=300, hot=12, crowd=20)
    net = network(options)
    parts = crowd(options, net)
    assert len({part.name for part in parts}) == len(parts) == 3 * 12 + 20
    assert max(len(part.channels) for part in parts) <= 20
    assert {channel for part in parts if part.talks for channel in part.channels} == set(net.hot)
    assert sum(net.names[0] in part.channels for part in parts) > 20
    assert {part.role for part in parts} == {"follower", "legacy"}


def test_the_rollout_has_four_waves() -> None:
    options = RolloutOptions(channels=300, hot=12)
    text = definition(options, network(options), "main", "aws", "http://127.0.0.1:1/gate")
    places = [text.index(f'name = "{wave}"') for wave in (STAFF, FRIENDS, PARTNERS, EVERYONE, DESK)]
    assert places == sorted(places)
    assert text.count("[[wave]]") == 4
    assert "cold_per_second = 27" in text
    large = definition(RolloutOptions(), network(RolloutOptions()), "main", "aws", "http://127.0.0.1:1/gate")
    assert "cold_per_second = 200" in large


@pytest.mark.parametrize(
    "given",
    [{"channels": 99}, {"channels": 100_001}, {"hot": 11}, {"hot": 2501}, {"crowd": 0}, {"joins": 19}, {"window": 0.5}],
)
def test_numbers_that_show_nothing_are_refused(given: dict[str, Any]) -> None:
    """By the name of the option."""
    with pytest.raises(InvalidSetting, match=f"--{next(iter(given))} is "):
        RolloutOptions(**given)


def test_every_option_has_a_help_text() -> None:
    assert help_of("crowd") == "Members of the largest channel."
