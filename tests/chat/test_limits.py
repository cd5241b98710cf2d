"""How often a client may join and log in, and which JOINs are free (LIMIT-3 to LIMIT-5)."""

from __future__ import annotations

import pytest

from godwit.chat.limits import PRESETS, TICKET_LIFE, Charge, Limit, Limits, Table, Tickets, table
from godwit.settings import LimitSettings

SMALL = Table(joins=Limit(2, 10.0), verified_joins=Limit(3, 10.0), logins=Limit(1, 5.0), verified_logins=Limit(2, 5.0))


@pytest.fixture
def limits() -> Limits:
    return Limits(SMALL)


def joins(limits: Limits, client: str, count: int, now: float, bot: str = "") -> list[str]:
    """What became of that many JOINs."""
    return [limits.join(client, bot, "room", "main", now).value for _ in range(count)]


# the numbers ------------------------------------------------------------------------------------


def test_the_limits_of_today() -> None:
    """LIMIT-3."""
    now = PRESETS["now"]
    assert (now.joins, now.verified_joins) == (Limit(20, 10.0), Limit(2000, 10.0))
    assert (now.logins, now.verified_logins) == (Limit(20, 10.0), Limit(200, 10.0))
    assert not now.disconnects


def test_the_limits_of_2016() -> None:
    """LIMIT-3, LIMIT-4."""
    then = PRESETS["2016"]
    assert (then.joins, then.verified_joins) == (Limit(50, 15.0), Limit(50, 15.0))
    assert then.disconnects


def test_a_preset_as_it_is() -> None:
    assert table(LimitSettings(preset="2016")) == PRESETS["2016"]


def test_every_number_may_be_given() -> None:
    settings = LimitSettings("2016", 1, 2, 3.0, 4, 5, 6.0, 7)
    joins, logins = (Limit(1, 3.0), Limit(2, 3.0)), (Limit(4, 6.0), Limit(5, 6.0))
    assert table(settings) == Table(*joins, *logins, disconnects=True, address_joins=Limit(7, 3.0))


def test_anonymous_joins_from_one_address() -> None:
    """LIMIT-3: off by default, on in 2016, and on with a number."""
    assert PRESETS["now"].address_joins is None
    assert PRESETS["2016"].address_joins == Limit(50, 10.0)
    found = table(LimitSettings(address_joins=3))
    assert found
    assert found.address_joins == Limit(3, 10.0)
    limits = Limits(found)
    for client in ("one", "two", "three"):
        assert limits.join(client, "", "room", "main", 0.0, "192.0.2.1") is Charge.CHARGED
    assert limits.join("four", "", "room", "main", 0.0, "192.0.2.1") is Charge.OVER_FIRST
    assert limits.join("four", "", "room", "main", 0.0, "192.0.2.2") is Charge.CHARGED
    assert limits.join("with account", "", "room", "main", 0.0) is Charge.CHARGED
    assert limits.join("five", "", "room", "main", 10.0, "192.0.2.1") is Charge.CHARGED


def test_no_limits() -> None:
    limits = Limits(table(LimitSettings(preset="off", joins=1)))
    assert joins(limits, "ann", 5, 0.0) == ["charged"] * 5
    assert limits.login("ann", "", 0.0) is Charge.CHARGED
    assert limits.join_limit("") is None
    limits.grant("ann", "room", "aws", 2, 0.0)
    assert limits.join("ann", "", "room", "aws", 0.0) is Charge.CHARGED
    assert limits.kept == 0


# counting ---------------------------------------------------------------------------------------


def test_joins_past_the_limit(limits: Limits) -> None:
    """LIMIT-3; one of them is worth a line in the log."""
    assert joins(limits, "ann", 5, 0.0) == ["charged", "charged", "over first", "over", "over"]
    assert joins(limits, "ann", 1, 9.9) == ["over"]


def test_joins_are_there_again_whole(limits: Limits) -> None:
    joins(limits, "ann", 3, 0.0)
    assert joins(limits, "ann", 4, 10.0) == ["charged", "charged", "over first", "over"]


def test_a_client_without_anything_left_is_told_of_once_a_window(limits: Limits) -> None:
    joins(limits, "ann", 1, 0.0)
    joins(limits, "ann", 1, 8.0)
    assert joins(limits, "ann", 2, 9.0) == ["over first", "over"]
    assert joins(limits, "ann", 3, 11.0) == ["charged", "charged", "over"]
    assert joins(limits, "ann", 1, 19.0) == ["over first"]


def test_a_verified_bot_may_join_more_often(limits: Limits) -> None:
    assert joins(limits, "bot", 4, 0.0, "verified") == ["charged", "charged", "charged", "over first"]
    assert joins(limits, "known", 3, 0.0, "known") == ["charged", "charged", "over first"]
    assert (limits.join_limit("verified"), limits.join_limit("known")) == (Limit(3, 10.0), Limit(2, 10.0))


def test_who_becomes_a_verified_bot_has_its_limit_at_once(limits: Limits) -> None:
    joins(limits, "bot", 3, 0.0)
    assert joins(limits, "bot", 4, 1.0, "verified") == ["charged", "charged", "charged", "over first"]


def test_clients_are_counted_apart(limits: Limits) -> None:
    joins(limits, "ann", 3, 0.0)
    assert joins(limits, "bob", 1, 0.0) == ["charged"]


def test_logins_are_counted_apart_from_joins(limits: Limits) -> None:
    assert [limits.login("ann", "", 0.0) for _ in range(3)] == [Charge.CHARGED, Charge.OVER_FIRST, Charge.OVER]
    assert joins(limits, "ann", 1, 0.0) == ["charged"]
    assert limits.login("ann", "", 5.0) is Charge.CHARGED
    assert [limits.login("bot", "verified", 0.0) for _ in range(3)][-1] is Charge.OVER_FIRST


def test_quiet_clients_are_forgotten(limits: Limits) -> None:
    for number in range(100):
        joins(limits, f"client{number}", 1, 0.0)
    joins(limits, "ann", 3, 9.0)
    joins(limits, "bob", 1, 10.0)
    assert joins(limits, "ann", 1, 18.0) == ["over"], "within its window a client is not forgotten"
    assert limits.kept == 102
    joins(limits, "bob", 1, 20.0)
    assert limits.kept == 2
    joins(limits, "bob", 1, 60.0)
    assert limits.kept == 1


# JOINs that a move caused (LIMIT-5) -------------------------------------------------------------


def test_a_join_that_a_move_caused_is_free(limits: Limits) -> None:
    joins(limits, "ann", 3, 0.0)
    limits.grant("ann", "room", "aws", 2, 1.0)
    assert limits.join("ann", "", "room", "aws", 2.0) is Charge.FREE
    assert limits.join("ann", "", "room", "aws", 2.0) is Charge.OVER
    assert joins(limits, "ann", 1, 10.0) == ["charged"], "what was free has left the window alone"


@pytest.mark.parametrize(
    ("client", "channel", "cluster"),
    [("bob", "room", "aws"), ("ann", "other", "aws"), ("ann", "room", "main"), ("ann", "room", "event")],
)
def test_a_ticket_is_good_for_nothing_else(client: str, channel: str, cluster: str) -> None:
    tickets = Tickets()
    tickets.grant("ann", "room", "aws", 2, 0.0)
    assert not tickets.use(client, channel, cluster, 1.0)
    assert tickets.use("ann", "room", "aws", 1.0)


def test_each_connection_that_was_told_has_a_ticket() -> None:
    tickets = Tickets()
    tickets.grant("ann", "room", "aws", 2, 0.0)
    tickets.grant("ann", "room", "aws", 2, 1.0)
    assert [tickets.use("ann", "room", "aws", 2.0) for _ in range(3)] == [True, True, False]


def test_tickets_are_superseded_by_a_newer_move() -> None:
    tickets = Tickets()
    tickets.grant("ann", "room", "aws", 2, 0.0)
    tickets.grant("ann", "room", "aws", 2, 0.0)
    tickets.grant("ann", "room", "main", 3, 1.0)
    assert not tickets.use("ann", "room", "aws", 2.0)
    tickets.grant("ann", "room", "aws", 2, 2.0)
    assert not tickets.use("ann", "room", "aws", 3.0), "what is old news comes too late"
    assert [tickets.use("ann", "room", "main", 3.0) for _ in range(2)] == [True, False]


def test_tickets_die() -> None:
    tickets = Tickets()
    tickets.grant("ann", "room", "aws", 2, 0.0)
    tickets.grant("ann", "other", "aws", 2, 1.0)
    assert not tickets.use("ann", "room", "aws", TICKET_LIFE)
    assert tickets.use("ann", "other", "aws", TICKET_LIFE)


def test_a_dead_ticket_of_a_newer_epoch_is_in_nobodys_way() -> None:
    """A store that was set up anew begins with low epochs."""
    tickets = Tickets()
    tickets.grant("ann", "room", "aws", 9, 0.0)
    tickets.grant("ann", "room", "aws", 2, TICKET_LIFE)
    assert [tickets.use("ann", "room", "aws", TICKET_LIFE) for _ in range(2)] == [True, False]


def test_an_account_has_so_many_tickets_at_most() -> None:
    tickets = Tickets(most=3)
    for number in range(5):
        tickets.grant("ann", f"room{number}", "aws", 2, float(number))
    tickets.grant("bob", "room0", "aws", 2, 5.0)
    assert [tickets.use("ann", f"room{number}", "aws", 6.0) for number in range(5)] == [False, False, True, True, True]
    assert tickets.use("bob", "room0", "aws", 6.0)


def test_a_ticket_that_is_granted_again_is_the_newest() -> None:
    tickets = Tickets(most=2)
    for channel in ("room", "other", "room", "third"):
        tickets.grant("ann", channel, "aws", 2, 0.0)
    assert [tickets.use("ann", channel, "aws", 1.0) for channel in ("room", "other", "third")] == [True, False, True]


# what was counted elsewhere ---------------------------------------------------------------------


def test_what_was_charged_elsewhere_counts(limits: Limits) -> None:
    """LIMIT-3."""
    limits.joined_elsewhere("ann", "", 1, 0.0)
    assert joins(limits, "ann", 2, 1.0) == ["charged", "over first"]
    assert joins(limits, "ann", 1, 10.0) == ["charged"], "its window began then"
    limits.logged_in_elsewhere("ann", "", 1, 0.0)
    assert limits.login("ann", "", 1.0) is Charge.OVER_FIRST


def test_what_was_too_much_elsewhere_is_not_carried_on(limits: Limits) -> None:
    limits.joined_elsewhere("ann", "", 9, 0.0)
    assert joins(limits, "ann", 1, 1.0) == ["over first"]
    assert joins(limits, "ann", 3, 10.0) == ["charged", "charged", "over"]


def test_without_limits_it_does_not_matter_what_was_charged_elsewhere() -> None:
    limits = Limits(None)
    limits.joined_elsewhere("ann", "", 9, 0.0)
    limits.logged_in_elsewhere("ann", "", 9, 0.0)
    assert limits.kept == 0
