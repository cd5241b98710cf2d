"""What clients may do in a while: JOINs and logins past the limit, free JOINs, and SERVERCHANGE in turn."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from godwit.buckets import Bucket
from godwit.chat.limits import Limit
from godwit.edge.audience import RoomAudience
from godwit.edge.pace import TURN, tokens
from godwit.settings import MoveSettings
from godwit.values import Account
from tests.edge.world import Client, World, world

SMALL = {"joins": 4, "verified_joins": 8, "join_window": 10.0, "logins": 3, "login_window": 10.0}


def limited(**changed: Any) -> Any:
    """A network where 4 JOINs and 3 logins are allowed in 10 s, and half as many SERVERCHANGE."""
    return world(limits=SMALL | changed, move={"notice_share": 0.5})


async def joined(net: World, client: Client, *channels: str) -> list[str]:
    """Join channels in one line; those that were let in."""
    client.send("JOIN " + ",".join(f"#{channel}" for channel in channels))
    heard = await client.flush()
    await net.idle()
    return [line.split("#")[1] for line in [*heard, *await client.flush()] if "ROOMSTATE" in line]


def moved(lines: list[str]) -> list[str]:
    """Where the client was sent: `channel cluster`."""
    return [
        f"{line.rpartition('#')[2]} {line.partition('godwit-cluster=')[2].partition(';')[0]}"
        for line in lines
        if "SERVERCHANGE" in line
    ]


async def second(net: World, seconds: float = 1.0) -> None:
    """Time passes, and the wheel turns."""
    net.clock.advance(seconds)
    node = net.nodes["main"]
    node.sweep(node.loop.time())


# JOINs and logins -------------------------------------------------------------------------------


async def test_joins_past_the_limit_are_dropped_in_silence() -> None:
    """LIMIT-3, LIMIT-4; each channel of a JOIN counts."""
    async with limited() as net:
        ann, node = await net.login("ann"), net.nodes["main"]
        with capture_logs() as logs:
            assert await joined(net, ann, "a", "b", "c", "d", "e", "f") == ["a", "b", "c", "d"]
        assert [entry["nick"] for entry in logs if entry["event"] == "join_limit"] == ["ann"]
        assert (node.counts.joins_charged, node.counts.joins_over) == (4, 2)
        assert sorted(net.session("ann").rooms) == ["a", "b", "c", "d"]
        net.clock.advance(10.0)
        assert await joined(net, ann, "e") == ["e"]


async def test_joins_are_counted_over_all_connections_of_an_account() -> None:
    """LIMIT-3: on all clusters, too."""
    async with limited() as net:
        here, there, bob = await net.login("ann"), await net.login("ann", "aws"), await net.login("bob")
        assert await joined(net, here, "a", "b", "c") == ["a", "b", "c"]
        assert await joined(net, there, "d", "e") == ["d"]
        assert await joined(net, bob, "a") == ["a"]


async def test_joins_of_what_is_joined_and_on_the_cluster_of_group_chat_count() -> None:
    """LIMIT-3."""
    async with limited() as net:
        ann, group = await net.login("ann"), await net.login("ann", "group")
        for _ in range(3):
            assert await joined(net, ann, "a") == ["a"]
        assert await joined(net, group, "x", "y") == ["x"]


async def test_an_anonymous_connection_counts_its_own_joins() -> None:
    """LIMIT-3."""
    async with limited() as net:
        first, other = await net.login("justinfan1"), await net.login("justinfan1")
        assert await joined(net, first, "a", "b", "c", "d", "e") == ["a", "b", "c", "d"]
        assert await joined(net, other, "a") == ["a"]


async def test_in_2016_a_join_past_the_limit_ends_the_connection() -> None:
    """LIMIT-4."""
    async with limited(preset="2016") as net:
        ann = await net.login("ann")
        ann.send("JOIN #a,#b,#c,#d,#e,#f", "PRIVMSG #a :too late")
        assert (await ann.rest())[-1] == ":tmi.twitch.tv NOTICE * :Login unsuccessful"
        assert net.nodes["main"].counts.joins_over == 1
        assert net.nodes["main"].counts.sessions_failed == 0


async def test_logins_past_the_limit_are_refused() -> None:
    """LIMIT-3, LIMIT-4."""
    async with limited() as net:
        for cluster in ("main", "aws", "main"):
            await net.login("ann", cluster)
        with capture_logs() as logs:
            for _ in range(2):
                late = await net.connect("aws")
                late.send("PASS oauth:x", "NICK ann")
                assert await late.rest() == [":tmi.twitch.tv NOTICE * :Login unsuccessful"]
        assert [entry["nick"] for entry in logs if entry["event"] == "login_limit"] == ["ann"]
        assert (net.nodes["aws"].counts.logins_over, net.nodes["aws"].counts.logins) == (2, 1)
        await net.login("bob")
        net.clock.advance(10.0)
        await net.login("ann")


async def test_anonymous_logins_are_not_counted() -> None:
    """LIMIT-3."""
    async with limited(logins=1) as net:
        for _ in range(3):
            await net.login("justinfan1")


# JOINs that a move caused -----------------------------------------------------------------------


async def test_a_join_that_a_move_caused_is_free() -> None:
    """LIMIT-5."""
    async with limited() as net:
        ann = await net.login("ann")
        assert await joined(net, ann, "a", "b", "c", "d") == ["a", "b", "c", "d"]
        await net.claim("a")
        await net.move("a", "aws")
        await ann.until("SERVERCHANGE")
        there = await net.login("ann", "aws")
        assert await joined(net, ann, "a") == [], "only where it was sent"
        assert await joined(net, there, "b", "a") == ["a"]
        assert await joined(net, there, "a") == []
        assert (net.nodes["aws"].counts.joins_free, net.nodes["aws"].counts.joins_over) == (1, 2)


async def test_the_answer_to_a_join_elsewhere_makes_the_next_one_free() -> None:
    """LIMIT-5."""
    async with limited(joins=1) as net:
        await net.claim("a")
        ann, here = await net.login("ann", "aws"), await net.login("ann")
        ann.send("JOIN #a")
        assert moved(await ann.until("SERVERCHANGE")) == ["a main"]
        assert await joined(net, here, "a") == ["a"]


async def test_an_anonymous_connection_has_no_tickets() -> None:
    """LIMIT-5: it comes by a new connection, which has its whole limit."""
    async with limited(joins=1) as net:
        anyone = await net.join("justinfan1", "a")
        await net.claim("a")
        await net.move("a", "aws")
        await anyone.until("SERVERCHANGE")
        there = await net.login("justinfan1", "aws")
        assert await joined(net, there, "a", "b") == ["a"]
        assert net.nodes["aws"].counts.joins_free == 0


# SERVERCHANGE in turn ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "share"),
    [
        (Limit(20, 10.0), 0.5),
        (Limit(2000, 10.0), 0.5),
        (Limit(2000, 10.0), 7.0),
        (Limit(50, 15.0), 0.25),
        (Limit(1, 10.0), 0.5),
        (Limit(2, 1.0), 0.5),
        (Limit(3, 60.0), 1.0),
    ],
)
def test_in_no_window_more_than_a_share_of_the_limit(limit: Limit, share: float) -> None:
    """LIMIT-6; of less than one at least now and then one."""
    bucket, now, sent = Bucket(*tokens(limit, share)), 0.0, []
    while now < 20 * limit.seconds:
        while bucket.take(now):
            sent.append(now)
        now += limit.seconds / 200
    most = max(limit.count * min(share, 1.0), 1)
    assert max(sum(start <= time < start + limit.seconds for time in sent) for start in sent[:1000]) <= most
    assert len(sent) >= 0.3 * 20 * limit.count * min(share, 1.0)


def test_what_a_turn_brings_is_not_lost_when_the_wheel_is_late() -> None:
    """LIMIT-6: a verified bot in 100,000 channels is told of all of them within 550 s."""
    rate, size = tokens(Limit(2000, 10.0), MoveSettings().notice_share)
    assert size >= 1.9 * TURN * rate
    assert 100_000 / rate < 550


async def crowd(net: World, nick: str = "ann", channels: str = "abcd") -> Client:
    """A client in channels that have rows."""
    client = await net.login(nick)
    assert await joined(net, client, *channels) == list(channels)
    for channel in channels:
        await net.claim(channel)
    return client


async def test_without_a_share_nobody_waits() -> None:
    """LIMIT-6, LIMIT-5."""
    async with world(limits=SMALL, move={"notice_share": 0.0}) as net:
        ann = await crowd(net)
        for channel in "abcd":
            await net.move(channel, "aws")
        await net.idle()
        assert moved(await ann.flush()) == ["a aws", "b aws", "c aws", "d aws"]
        assert net.pace.lanes == 0
        there = await net.login("ann", "aws")
        assert await joined(net, there, *"abcd") == list("abcd")
        assert net.nodes["aws"].counts.joins_free == 4


async def test_serverchange_waits_until_the_client_may_be_told() -> None:
    """LIMIT-6, SC-4: at half of 4 JOINs in 10 s, so one now, and another one every 10 s."""
    async with limited() as net:
        ann = await crowd(net)
        for channel in "abcd":
            await net.move(channel, "aws")
        await net.idle()
        assert moved(await ann.flush()) == ["a aws"]
        assert sum(node.statistics().untold for node in net.nodes.values()) == 3
        heard = []
        for _ in range(35):
            await second(net)
            heard.append(moved(await ann.flush()))
        assert [lines for lines in heard if lines] == [["b aws"], ["c aws"], ["d aws"]]
        assert [index for index, lines in enumerate(heard) if lines] == [10, 21, 32]
        assert net.nodes["main"].statistics().untold == 0


async def test_a_verified_bot_is_told_faster() -> None:
    """LIMIT-6: at half of 8 JOINs in 10 s, of which one goes out at once."""
    async with limited() as net:
        account = await net.store.add_account(Account("", "bot", bot="verified"))
        bot = await crowd(net, account.login)
        for channel in "abcd":
            await net.move(channel, "aws")
        await net.idle()
        told = moved(await bot.flush())
        for _ in range(12):
            await second(net)
            told += moved(await bot.flush())
        assert told == ["a aws", "b aws", "c aws", "d aws"]
        for _ in range(10):
            await second(net)
        assert net.pace.lanes == 0


async def test_all_connections_of_an_account_wait_for_each_other() -> None:
    """LIMIT-6."""
    async with limited() as net:
        first, other = await crowd(net, channels="a"), await net.join("ann", "a")
        bob = await net.join("bob", "a")
        await net.move("a", "aws")
        await net.idle()
        assert [len(moved(await client.flush())) for client in (first, other, bob)] == [1, 0, 1]
        await second(net, 11.0)
        assert [len(moved(await client.flush())) for client in (first, other, bob)] == [0, 1, 0]


async def test_without_limits_everybody_is_told_at_once() -> None:
    """LIMIT-6."""
    async with limited(preset="off") as net:
        ann = await crowd(net)
        for channel in "abcd":
            await net.move(channel, "aws")
        await net.idle()
        assert moved(await ann.flush()) == ["a aws", "b aws", "c aws", "d aws"]
        assert net.pace.lanes == 0


async def test_who_waits_is_told_where_the_channel_lives_by_then() -> None:
    """LIMIT-6: only the newest place; nothing of what came home."""
    async with limited() as net:
        ann = await crowd(net)
        for channel, to in (("a", "aws"), ("b", "aws"), ("c", "aws"), ("b", "group"), ("c", "main"), ("d", "aws")):
            await net.move(channel, to)
            await net.idle()
        told = moved(await ann.flush())
        for _ in range(22):
            await second(net)
            told += moved(await ann.flush())
        assert told == ["a aws", "b group", "d aws"]
        assert net.nodes["main"].statistics().untold == 0


async def test_who_leaves_need_not_be_told() -> None:
    """LIMIT-6: neither after PART nor after the connection has closed."""
    async with limited() as net:
        ann, bob = await crowd(net), await crowd(net, "bob", "ab")
        for channel in "abcd":
            await net.move(channel, "aws")
        await net.idle()
        await ann.flush()
        ann.send("PART #b,#c")
        await ann.flush()
        bob.close()
        await net.until(lambda: net.nodes["main"].statistics().connections == 1)
        assert net.nodes["main"].statistics().untold == 1
        await second(net, 11.0)
        assert moved(await ann.flush()) == ["d aws"]


async def test_the_answer_to_a_join_is_sent_at_once_and_the_rest_waits_for_it() -> None:
    """LIMIT-6, JOIN-7."""
    async with limited() as net:
        ann = await crowd(net, channels="abc")
        for channel in "abc":
            await net.move(channel, "aws")
        await net.idle()
        assert moved(await ann.flush()) == ["a aws"]
        ann.send("JOIN #c")
        assert moved(await ann.until("SERVERCHANGE")) == ["c aws"]
        await net.idle()
        heard = []
        for _ in range(25):
            await second(net)
            heard.append(moved(await ann.flush()))
        assert [(index, lines) for index, lines in enumerate(heard) if lines] == [(20, ["b aws"])]


async def test_a_channel_that_fails_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """And whoever was in it need not be told any more."""
    async with limited() as net:
        ann = await crowd(net, channels="abc")
        for channel in "abc":
            await net.move(channel, "aws")
        await net.idle()
        await ann.flush()
        net.nodes["main"].room("b").fail()
        await ann.until("PART")
        assert net.nodes["main"].statistics().untold == 1

        def broken(*_: object) -> None:
            raise RuntimeError("broken")

        monkeypatch.setattr(RoomAudience, "_redirect", broken)
        with capture_logs() as logs:
            await second(net, 11.0)
        assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["redirect_failed"]
        assert net.nodes["main"].statistics().untold == 0


async def test_a_legacy_rule_waits_for_those_who_were_told_late() -> None:
    """LIMIT-6, PART-1: they have a lease after that."""
    async with world(limits=SMALL, move={"legacy_rule": "part", "drain": 15.0, "lease": 10.0}) as net:
        ann, bob = await crowd(net, channels="abc"), await net.join("bob", "c")
        for channel in "abc":
            await net.move(channel, "aws")
        await net.idle()
        told: dict[str, list[int]] = {}
        for time in range(1, 40):
            await second(net)
            await net.nodes["main"].compare()
            await net.idle()
            for client in (ann, bob):
                for line in await client.flush():
                    if "PART" in line or "SERVERCHANGE" in line:
                        what = f"{line.split('!')[0] if 'PART' in line else ''}{line.rpartition('#')[2]}"
                        told.setdefault(what, []).append(time)
        assert told[":anna"] == told[":bobc"] == [15]
        assert told[":annb"][0] >= told["b"][0] + 10
        assert told[":annc"][0] >= told["c"][-1] + 10
        assert max(*told[":annb"], *told[":annc"]) <= told["c"][-1] + 12


async def test_anonymous_connections_from_one_address_may_be_limited_together() -> None:
    """LIMIT-3: whoever has an account is not concerned."""
    async with limited(address_joins=2) as net:
        one, two, ronni = [await net.login(nick) for nick in ("justinfan1", "justinfan2", "ronni")]
        one.send("JOIN #a,#b")
        await one.until(" 366 justinfan1 #b ")
        for client, joined in ((two, False), (ronni, True)):
            client.send("JOIN #a")
            if joined:
                await client.until(" 366 ")
            else:
                assert await client.flush() == []
        assert net.nodes["main"].counts.joins_over == 1
