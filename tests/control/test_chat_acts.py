"""What operators do in a channel: checked first, a row and a record, and one of each whatever happens between."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from godwit.control import chat_acts
from godwit.control.chat_acts import standing
from godwit.errors import AppendUnknown, ChatLogUnavailable, InvalidRequest
from godwit.rollout.values import Wish
from godwit.store.base import OVERDUE, Sanction
from godwit.values import Account, Act, Author, Message, Move, Position, Record, Relation, Segment, UserNotice
from tests.control.steered import Steered


@pytest.fixture
async def network() -> Steered:
    network = Steered()
    await network.begin("room")
    await network.store.add_accounts([Account("7", "ann", "Ann", "#FF0000"), Account("8", "room")])
    return network


async def records(network: Steered, cluster: str = "main", channel: str = "room") -> list[Record]:
    return [entry.record for entry in (await network.logs[cluster].read(channel, 0)).entries]


async def acted(network: Steered, kind: str = "ban", **args: Any) -> Wish:
    return await network.do("act", channel="room", kind=kind, login="ann", **args)


async def place(network: Steered, *names: str) -> None:
    """An edge has read these rows' records."""
    for number, name in enumerate(names, start=1):
        await network.store.place_sanction(name, Position(1, number), 1000.0)


async def test_a_ban_is_a_row_and_a_record(network: Steered) -> None:
    """Rule R2: the row first, then the record of the same id."""
    wish = await acted(network, reason="spam")
    assert (wish.state, wish.answer) == ("done", "ann is banned from #room")
    (record,) = await records(network)
    assert isinstance(record, Act)
    assert (record.kind, record.target, record.target_login, record.reason) == ("ban", "7", "ann", "spam")
    assert (record.by.login, record.epoch, record.number) == ("olga", 1, 1)
    (row,) = await network.store.sanctions("room")
    wanted = Sanction(record.id, "room", "ban", "7", "ann", "olga", "spam", time=network.clock.now())
    assert msgspec.structs.replace(row, position=None) == wanted


async def test_the_row_has_its_position_before_anybody_reads_the_channel(network: Steered) -> None:
    """Rule R2: nobody may do so before the record has expired."""
    network.clock.advance(5.0)
    await acted(network)
    (entry,) = (await network.logs["main"].read("room", 0)).entries
    (row,) = await network.store.sanctions("room")
    assert (row.position, row.time) == (Position(1, entry.sequence), entry.time)


async def test_a_log_that_cannot_be_read_leaves_the_row_to_the_edges(
    network: Steered, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(channel: str, after: int, limit: int = 500) -> None:
        raise ChatLogUnavailable("away")

    monkeypatch.setattr(network.logs["main"], "read", silent)
    assert (await acted(network)).state == "done"
    (row,) = await network.store.sanctions("room")
    assert row.position is None


async def test_what_came_to_nothing_stands_for_nothing(network: Steered) -> None:
    """A row whose record was never appended, as when the log was away."""
    await network.store.add_sanction(Sanction("m1", "room", "ban", "7", "ann", "mod", time=network.clock.now()))
    assert (await acted(network)).state == "refused"
    network.clock.advance(OVERDUE)
    assert (await acted(network)).state == "done"


async def test_an_end_that_came_to_nothing_can_be_had_again(network: Steered) -> None:
    await acted(network)
    await network.store.add_sanction(Sanction("m1", "room", "lift", "7", "ann", "mod", time=network.clock.now()))
    network.clock.advance(OVERDUE)
    assert (await acted(network, "lift")).state == "done"


async def test_a_timeout_has_seconds(network: Steered) -> None:
    wish = await acted(network, "timeout", seconds=600)
    assert wish.answer == "ann is timed out in #room for 600 seconds"
    assert [(row.kind, row.seconds) for row in await network.store.sanctions("room")] == [("timeout", 600)]


@pytest.mark.parametrize(
    ("kind", "ended", "answer", "after"),
    [
        ("ban", "lift", "ann may talk in #room again", "ann is neither banned nor timed out in #room"),
        ("mod", "unmod", "ann is no moderator of #room any more", "ann is no moderator of #room"),
        ("vip", "unvip", "ann is no VIP of #room any more", "ann is no VIP of #room"),
    ],
)
async def test_what_ends_something(network: Steered, kind: str, ended: str, answer: str, after: str) -> None:
    """It is refused where there is nothing to end, before and afterwards."""
    assert (await acted(network, ended)).answer == after
    first = await acted(network, kind)
    again = await acted(network, kind)
    assert (again.state, again.answer) == ("refused", f"{first.answer} already")
    second = await acted(network, ended)
    assert (second.state, second.answer) == ("done", answer)
    third = await acted(network, ended)
    assert (third.state, third.answer) == ("refused", after)
    assert len(await records(network)) == 2


async def test_a_role_takes_the_place_of_the_other(network: Steered) -> None:
    await acted(network, "mod")
    assert (await acted(network, "vip")).state == "done"
    assert (await acted(network, "unmod")).answer == "ann is no moderator of #room"


def test_what_stands() -> None:
    """The newest row of the family, those that wait for a position last."""
    rows = [
        Sanction("1", "room", "ban", "7", "ann", "x", position=Position(1, 1)),
        Sanction("2", "room", "mod", "7", "ann", "x", position=Position(1, 2)),
        Sanction("3", "room", "vip", "8", "bob", "x"),
        Sanction("4", "room", "lift", "7", "ann", "x"),
    ]
    assert [standing(rows, kind, "7") for kind in ("ban", "vip")] == ["lift", "mod"]
    assert [standing(rows, kind, "8") for kind in ("ban", "vip")] == ["", "vip"]


@pytest.mark.parametrize(
    ("args", "why"),
    [
        ({"kind": "clear"}, "'clear' is nothing to do: use one of ban, timeout, lift"),
        ({"kind": ["ban"]}, "is nothing to do"),
        ({"kind": "ban", "seconds": 5}, "a timeout, and nothing else, has seconds"),
        ({"kind": "timeout"}, "a timeout, and nothing else, has seconds"),
        ({"kind": "timeout", "seconds": -5}, "a timeout, and nothing else, has seconds"),
        ({"kind": "timeout", "seconds": "5"}, "a timeout, and nothing else, has seconds"),
        ({"kind": "timeout", "seconds": True}, "a timeout, and nothing else, has seconds"),
        ({"kind": "timeout", "seconds": 1209601}, "1209600 seconds at most, which is two weeks"),
        ({"kind": "ban", "login": "nobody"}, "there is no account nobody: add it first"),
        ({"kind": "mod", "login": "room"}, "room is the broadcaster of #room"),
        ({"kind": "ban", "channel": "no channel"}, "not a channel name"),
    ],
)
async def test_refused(network: Steered, args: dict[str, Any], why: str) -> None:
    wish = await network.do("act", **{"channel": "room", "login": "ann"} | args)
    assert wish.state == "refused"
    assert why in wish.answer
    assert not await records(network)
    assert not await network.store.sanctions("room")


async def test_a_channel_without_a_row_gets_one(network: Steered) -> None:
    """Rule C10: nothing is written to a channel that the default placement moves."""
    await network.do("act", channel="new", kind="ban", login="ann")
    assert not (await network.store.placement("new")).default
    assert len(await records(network, channel="new")) == 1


async def test_not_while_the_default_is_held(network: Steered) -> None:
    """Rule C10: after a change nobody writes to such a channel for one lease."""
    await network.store.set_default(Segment("aws", 2, 0, "aws/1"), hold_until=network.clock.now() + 5)
    wish = await network.do("act", channel="new", kind="ban", login="ann")
    assert (wish.state, wish.answer) == ("refused", "the default placement has just changed: try again in 5 s")
    assert (await network.store.placement("new")).default


async def test_done_again_it_counts_once(network: Steered) -> None:
    """A controller that died before it told does it again."""
    prepared = await network.prepare("act", channel="room", kind="ban", login="ann")
    assert prepared.act
    await prepared.act()
    await prepared.act()
    assert len(await records(network)) == 1
    assert len(await network.store.sanctions("room")) == 1


async def test_a_channel_that_moves_meanwhile(network: Steered, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was appended behind a seal is appended again where the channel is."""
    there = Segment("aws", 2, 0, "aws/1")
    log = network.logs["main"]
    append = log.append

    async def slow(channel: str, record: Record, *, stream: str) -> int:
        if isinstance(record, Act):
            await network.store.commit("room", there, drain_until=0.0, now=0.0)
        return await append(channel, record, stream=stream)

    monkeypatch.setattr(log, "append", slow)
    assert (await acted(network)).state == "done"
    (first,), (second,) = await records(network), await records(network, "aws")
    assert isinstance(first, Act)
    assert isinstance(second, Act)
    assert (first.id, first.producer, first.number) == (second.id, second.producer, second.number)
    assert (first.epoch, second.epoch) == (1, 2)


async def test_a_channel_about_to_be_sealed(network: Steered) -> None:
    """Nobody knows on which side of the seal it came: the operator is told."""
    move = await network.store.begin_move(Move("m1", "room", "aws", "wished"))
    assert (await acted(network, "timeout", seconds=5)).state == "done"
    assert await network.store.journal(move, "sealing", 1.0)
    wish = await acted(network, "mod")
    assert wish.state == "refused"
    assert wish.answer == "#room is being moved, so it may have had no effect: look, and try again"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (AppendUnknown("late"), "nobody knows whether the chat log took it: look, and try again (late)"),
        (ChatLogUnavailable("gone"), "the chat log of main does not take it: try again (gone)"),
    ],
)
async def test_a_log_that_is_away(
    network: Steered, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    async def fail(*_: object, **__: object) -> int:
        raise error

    monkeypatch.setattr(network.logs["main"], "append", fail)
    wish = await acted(network)
    assert (wish.state, wish.answer) == ("refused", told)


async def test_a_cluster_that_nobody_knows(network: Steered) -> None:
    await network.store.commit("room", Segment("moon", 2, 0, "moon/1"), drain_until=0.0, now=0.0)
    assert (await acted(network)).answer == "the chat log of moon is not known here"


# USERNOTICE -------------------------------------------------------------------------------------


async def test_usernotice(network: Steered) -> None:
    """With all that is known of the account in this channel."""
    await network.store.set_relations([Relation("room", "7", 0.0, True, 14, "1000")], ["subscription"])
    await acted(network, "vip")
    wish = await network.do(
        "usernotice",
        channel="room",
        kind="resub",
        login="@Ann",
        text="Kappa hi",
        emotes="25:0-4",
        system_msg="Ann has subscribed for 14 months!",
        params={"cumulative-months": "14"},
    )
    assert (wish.state, wish.answer) == ("done", "#room is shown resub of ann")
    record = (await records(network))[-1]
    assert isinstance(record, UserNotice)
    assert (record.kind, record.text, record.emotes) == ("resub", "Kappa hi", "25:0-4")
    assert record.system_msg == "Ann has subscribed for 14 months!"
    assert record.params == {"cumulative-months": "14"}
    author = record.author
    assert (author.login, author.display_name, author.color, author.vip) == ("ann", "Ann", "#FF0000", True)
    assert author.badge_info == ("subscriber/14",)


async def test_usernotice_of_the_owner(network: Steered) -> None:
    await network.do("usernotice", channel="room", kind="announcement", login="room")
    (record,) = await records(network)
    assert isinstance(record, UserNotice)
    assert record.author.badges == ("broadcaster/1",)


@pytest.mark.parametrize("params", [["a"], {"a": 5}, "a"])
async def test_usernotice_refused(network: Steered, params: object) -> None:
    wish = await network.do("usernotice", channel="room", kind="sub", login="ann", params=params)
    assert (wish.state, wish.answer) == ("refused", "usernotice: params must be an object of texts")
    assert not await records(network)


async def test_a_record_is_tried_as_often_as_it_says(network: Steered, monkeypatch: pytest.MonkeyPatch) -> None:
    """A channel that moves on and on: an end is made of it."""
    log, tried = network.logs["main"], 0

    async def move_on(channel: str, record: Message, *, stream: str) -> int:
        nonlocal tried
        tried += 1
        await network.store.commit("room", Segment("main", 1 + tried, 0, "main/1"), drain_until=0.0, now=0.0)
        return tried

    monkeypatch.setattr(log, "append", move_on)
    with pytest.raises(InvalidRequest, match="is being moved"):
        await network.wishes._append("room", UserNotice("x", 0, "x", 1, "sub", Author("7", "ann")))
    assert tried == chat_acts.TRIES
