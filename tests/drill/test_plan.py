"""The parts of a drill are dealt out so that every mix occurs."""

from __future__ import annotations

import pytest

from godwit.drill.plan import FOLLOWING, PLAIN, TAGGED, channel_names, deal, turns
from godwit.values import is_channel, is_login


@pytest.mark.parametrize(("channels", "talkers"), [(1, 1), (3, 2), (3, 7), (20, 40), (5, 5)])
def test_every_channel_has_a_talker(channels: int, talkers: int) -> None:
    """Nobody sits in a silent room."""
    parts = deal(channels, talkers, 0, 0)
    assert len(parts) == talkers
    assert all(part.channels for part in parts)
    assert {channel for part in parts for channel in part.channels} == set(channel_names(channels))


def test_every_mix_occurs() -> None:
    """Both transports with each set of capabilities, following and not, and somebody anonymous."""
    parts = deal(20, 40, 80, 80)
    listeners = {(part.transport, part.role, part.capabilities) for part in parts if not part.talks}
    assert listeners == {
        (transport, role, capabilities)
        for transport in ("tcp", "ws")
        for role, capabilities in (("follower", FOLLOWING), ("legacy", TAGGED), ("legacy", PLAIN))
    }
    talkers = {(part.transport, part.role) for part in parts if part.talks}
    assert talkers == {("tcp", "legacy"), ("tcp", "follower"), ("ws", "legacy"), ("ws", "follower")}
    assert any(part.name.startswith("justinfan") for part in parts)


def test_names_are_legal_and_distinct() -> None:
    """Every part can log in and every channel can be joined."""
    parts = deal(20, 40, 80, 80)
    assert len({part.name for part in parts}) == len(parts)
    assert all(is_login(part.name) for part in parts)
    assert all(is_channel(name) for name in channel_names(20))


def test_listeners_sit_in_two_channels() -> None:
    """Where there are two."""
    assert all(len(set(part.channels)) == 2 for part in deal(3, 1, 9, 9) if not part.talks)
    assert all(part.channels == ("drill000",) for part in deal(1, 1, 2, 2))


def test_turns_are_dealt_evenly() -> None:
    """Among those who follow, and among all; drawn by the seed."""
    parts = deal(20, 40, 80, 81)
    dealt = turns(parts, 1)
    assert sorted(dealt.values()) == list(range(201))
    following = [dealt[part.name] for part in parts if part.role == "follower"]
    assert sorted(following) == list(range(100))
    assert dealt == turns(parts, 1) != turns(parts, 2)
