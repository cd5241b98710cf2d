"""Names as people write them."""

from __future__ import annotations

import pytest

from godwit.errors import InvalidRequest, UnknownChannel, UnknownCluster
from godwit.web.names import channel_name, cluster_name, login_name, shown


@pytest.mark.parametrize(("text", "name"), [("#Alice", "alice"), ("bob_1", "bob_1"), ("x" * 25, "x" * 25)])
def test_a_channel(text: str, name: str) -> None:
    """With or without its sign, in any case."""
    assert channel_name(text) == name


def test_a_group_room() -> None:
    """A room's name is longer than a login may be."""
    name = "_a_long_owner_name_1447033529452"
    assert channel_name(name, rooms=True) == channel_name(f"#{name.upper()}", rooms=True) == name
    with pytest.raises(UnknownChannel, match="is a group room"):
        channel_name(name)


@pytest.mark.parametrize("text", ["", "#", "##a", "a b", "a\n", "x" * 26, "alic\u00e9", "\u212aelvin", "a/b", "\ud800"])
def test_not_a_channel(text: str) -> None:
    """The error is one line that can be printed anywhere."""
    with pytest.raises(UnknownChannel) as caught:
        channel_name(text)
    assert "\n" not in str(caught.value)
    assert "\ud800" not in str(caught.value)


@pytest.mark.parametrize("text", ["#alice", "justinfan123", "", "a b"])
def test_not_a_login(text: str) -> None:
    """Names of anonymous readers are nobody's."""
    with pytest.raises(InvalidRequest):
        login_name(text)


def test_a_login() -> None:
    """`justinfan` alone is a login like any other."""
    assert (login_name("Bob"), login_name("justinfan")) == ("bob", "justinfan")


def test_a_cluster() -> None:
    """What there is instead is told."""
    assert cluster_name("aws", ["main", "aws"]) == "aws"
    with pytest.raises(UnknownCluster, match="'AWS': choose one of main, aws"):
        cluster_name("AWS", ["main", "aws"])


@pytest.mark.parametrize("text", ["AWS", "group"])
def test_a_cluster_for_a_channel(text: str) -> None:
    """The cluster of group chat is neither taken nor offered."""
    assert cluster_name("aws", ["main", "aws", "group"], for_channel=True) == "aws"
    with pytest.raises(UnknownCluster, match=f"'{text}': choose one of main, aws$"):
        cluster_name(text, ["main", "aws", "group"], for_channel=True)


def test_what_is_shown_is_cut() -> None:
    """An error does not repeat a megabyte."""
    assert shown("x" * 1000) == repr("x" * 60 + "...")
