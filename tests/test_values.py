"""Names of channels, accounts and group rooms."""

from __future__ import annotations

import pytest

from godwit.values import is_channel, is_login, is_room, owner_of

ROOM = "_ann_1447033529452"
LONG = f"_{'a' * 25}_1447033529452"


@pytest.mark.parametrize("name", [ROOM, LONG, "___1447033529452"])
def test_rooms(name: str) -> None:
    """A room is a channel; nobody is called so."""
    assert is_room(name)
    assert is_channel(name)
    assert not is_login(name)


@pytest.mark.parametrize("name", ["ann", "_ann_", "_ann_144703352945", "ann_1447033529452", "_", "__1447033529452"])
def test_logins(name: str) -> None:
    """What only looks like a room is a login."""
    assert not is_room(name)
    assert is_channel(name)
    assert is_login(name)


@pytest.mark.parametrize("name", ["", "a" * 26, "Ann", "_Ann_1447033529452", f"{ROOM}\n", "_a b_1447033529452"])
def test_neither(name: str) -> None:
    assert not is_room(name)
    assert not is_channel(name)
    assert not is_login(name)


def test_owners() -> None:
    """A channel is its owner's by its name, and so is a room."""
    assert owner_of("ann") == "ann"
    assert owner_of("_ann") == "_ann"
    assert owner_of(ROOM) == "ann"
    assert owner_of("__ann__1447033529452") == "_ann_"
