"""The `match` language, the stable share, and the conditions of a wave."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from godwit.errors import InvalidRequest
from godwit.rollout.select import FACTS, fits, matcher, share
from godwit.rollout.values import Candidate, Facts, Wave
from godwit.values import Placement, Segment


def channel(name: str = "ann", cluster: str = "main", *, live: bool = False, **facts: Any) -> Candidate:
    return Candidate(Placement(name, Segment(cluster, 1, 0, "s")), Facts(name, **facts), live=live)


ANN = channel("ann", tier="partner", opt="in", members=120, rate=2.5, live=True)


@pytest.mark.parametrize(
    "text",
    [
        "members == 120",
        "members > 100 and rate <= 2.5",
        "100 < members < 200",
        'tier in ("partner", "staff")',
        'tier in ["partner"]',
        'opt in {"in"}',
        'tier not in ("staff", "")',
        'startswith(channel, "an")',
        'endswith(channel, "nn") and not startswith(channel, "test_")',
        '"n" in channel',
        "live",
        "live == True",
        'cluster != "aws"',
        "not (members < 100 or not live)",
        "members in (1, 120)",
        "rate > -1",
        "  members == 120  ",
        'channel >= "amy"',
        "True",
    ],
)
def test_conditions_that_fit(text: str) -> None:
    assert matcher(text)(ANN) is True
    assert matcher(f"not ({text.strip()})")(ANN) is False


@pytest.mark.parametrize("fact", FACTS)
def test_every_fact_can_be_asked_for(fact: str) -> None:
    value = {"text": '"ann"', "number": "120", "flag": "True"}[FACTS[fact][0]]
    assert matcher(f"{fact} == {value} or not {fact} == {value}")(ANN)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no condition"),
        ("members <", "no condition"),
        ("members < 3; import os", "no condition"),
        ("x = 3", "no condition"),
        ("member < 3", "did you mean members"),
        ("__import__", "allowed are"),
        ("__import__('os')", "not allowed"),
        ("channel.startswith('a')", "not allowed"),
        ("channel.__class__ == 3", "not allowed"),
        ("open('x', 'y')", "not allowed"),
        ("startswith(channel)", "not allowed"),
        ("startswith(channel, 'a', 1)", "not allowed"),
        ("startswith(text=channel, part='a')", "not allowed"),
        ("startswith(members, 'a')", "text is needed"),
        ("[x for x in channel] == 3", "not allowed"),
        ("(lambda: True)()", "not allowed"),
        ("members + 1 > 3", "not allowed"),
        ("members ** 99 > 3", "not allowed"),
        ("members < '3'", "cannot be compared"),
        ("members == True", "cannot be compared"),
        ("channel < 3", "cannot be compared"),
        ("members", "a number, not a condition"),
        ("channel and live", "a text, not a condition"),
        ("'a'", "a text, not a condition"),
        ("live is True", "use =="),
        ("tier in ('staff', 3)", "searched for a text"),
        ("tier in ('staff', channel)", "only constants"),
        ("members in rate", "nothing that something can be in"),
        ("3 in channel", "nothing that something can be in"),
        ("None", "not allowed"),
        ("b'a' == channel", "not allowed"),
        ("members < 3j", "not allowed"),
        ("f'{channel}' == 'a'", "not allowed"),
        ("channel[0] == 'a'", "not allowed"),
        ("live if live else live", "not allowed"),
        ("-True < 3", "not allowed"),
        ("a\x00b", "null bytes"),
        ("(" * 300 + "live" + ")" * 300, "no condition|cannot be read"),
        ("not " * 500 + "live", "too long"),
        (" or ".join(["live"] * 500), "too long"),
    ],
)
def test_anything_else_is_refused(text: str, why: str) -> None:
    with pytest.raises(InvalidRequest, match=why):
        matcher(text)


@given(st.text(max_size=60))
def test_no_text_does_harm(text: str) -> None:
    try:
        found = matcher(text)(ANN)
    except InvalidRequest:
        return
    assert isinstance(found, bool)


def test_a_share_is_stable_and_even() -> None:
    shares = [share("to-aws", f"channel_{number}") for number in range(2000)]
    assert shares == [share("to-aws", f"channel_{number}") for number in range(2000)]
    assert all(0 <= one < 100 for one in shares)
    for percent in (10, 50, 90):
        assert abs(sum(one < percent for one in shares) / 20 - percent) < 4


def test_other_rollouts_begin_with_other_channels() -> None:
    assert share("to-aws", "ann") != share("to-event", "ann")


def test_a_smaller_share_lies_within_a_larger_one() -> None:
    channels = [channel(f"c{number}") for number in range(500)]
    chosen = {
        percent: {one.channel for one in channels if fits(Wave("w", percent=percent), "r")(one)}
        for percent in (0.0, 10.0, 20.0, 100.0)
    }
    assert chosen[0] == set()
    assert chosen[10] == {one.channel for one in channels if share("r", one.channel) < 10}
    assert chosen[0] < chosen[10] < chosen[20] < chosen[100]
    assert len(chosen[100]) == 500


@pytest.mark.parametrize(
    ("wave", "fitting"),
    [
        (Wave("w", channels=("ann", "bob")), {"ann", "bob"}),
        (Wave("w", tiers=("partner", "staff")), {"ann", "cid"}),
        (Wave("w", tiers=("",)), {"bob"}),
        (Wave("w", opt_in=True), {"ann"}),
        (Wave("w", min_members=10), {"ann", "cid"}),
        (Wave("w", max_members=10), {"bob", "cid"}),
        (Wave("w", min_members=10, max_members=10), {"cid"}),
        (Wave("w", match="members > 5"), {"ann", "cid"}),
        (Wave("w", channels=("ann", "bob"), min_members=10), {"ann"}),
        (Wave("w", rest=True), {"ann", "bob", "cid"}),
        (Wave("w", max_members=0), {"bob"}),
    ],
)
def test_all_conditions_of_a_wave_hold(wave: Wave, fitting: set[str]) -> None:
    channels = [ANN, channel("bob", opt="out"), channel("cid", tier="staff", members=10)]
    test = fits(wave, "to-aws")
    assert {one.channel for one in channels if test(one)} == fitting


def test_opting_out_is_no_condition() -> None:
    out = channel("ann", opt="out")
    assert fits(Wave("w", channels=("ann",)), "r")(out)
    assert fits(msgspec.structs.replace(Wave("w", channels=("ann",)), mandatory=True), "r")(out)
