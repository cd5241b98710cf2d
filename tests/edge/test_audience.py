"""What members see of a move: SERVERCHANGE, early joiners, gaps, the end of a drain."""

from __future__ import annotations

import pytest

from godwit.values import Change, Tell
from tests.edge.world import ALL, World, world

POSITIONS = "twitch.tv/tags twitch.tv/commands godwit/position"


async def _talked(net: World, channel: str = "room") -> None:
    """Let a channel have a row and a line, said by somebody who has not joined."""
    talker = await net.login("talker")
    talker.send(f"PRIVMSG #{channel} :first")
    await talker.until("USERSTATE")


async def test_members_are_sent_serverchange_whatever_their_capabilities() -> None:
    """SC-1, SC-2."""
    async with world() as net:
        await _talked(net)
        bare, tagged = await net.join("bare", caps=""), await net.join("tagged", caps="twitch.tv/tags")
        await net.move("room", "aws")
        assert await bare.until("SERVERCHANGE") == [":tmi.twitch.tv SERVERCHANGE #room"]
        aws = net.addresses("aws")
        (line,) = await tagged.until("SERVERCHANGE")
        assert line == (
            f"@godwit-cluster=aws;godwit-drain-until={int(net.clock.now() + 60) * 1000};godwit-epoch=2;"
            f"godwit-tcp={aws.tcp[0]};godwit-tls=;godwit-ws={aws.ws[0]};godwit-wss= :tmi.twitch.tv SERVERCHANGE #room"
        )
        assert net.nodes["main"].counts.serverchanges == 2


async def test_what_operators_say_is_a_notice_to_the_members() -> None:
    """NOTICE-7; what cannot stand in a line is dropped."""
    async with world() as net:
        await _talked(net)
        ann, plain = await net.join("ann"), await net.join("plain", caps="")
        tell = Tell("t", 1, "t", 1, "#room moves to aws\r\nin a minute")
        await net.logs["main"].append("room", tell, stream="stream-main")
        assert await ann.until("NOTICE") == [
            "@msg-id=godwit_moving :tmi.twitch.tv NOTICE #room :#room moves to awsin a minute"
        ]
        assert await plain.flush() == []


async def test_the_destination_may_be_a_parameter() -> None:
    """SC-3."""
    async with world(move={"destination": "parameter"}) as net:
        await _talked(net)
        ann = await net.join("ann")
        await net.move("room", "aws")
        assert await ann.until("SERVERCHANGE") == [":tmi.twitch.tv SERVERCHANGE #room aws"]


async def test_who_stays_goes_on_reading_and_writing_through_a_move_and_back() -> None:
    async with world() as net:
        ann, bob = await net.join("ann"), await net.join("bob", "room", "aws")
        texts = []
        for number, to in enumerate(["", "aws", "", "main", ""]):
            if to:
                await net.move("room", to)
            for client, other in ((ann, bob), (bob, ann)):
                text = f"line{number}{'a' if client is ann else 'b'}"
                client.send(f"PRIVMSG #room :{text}")
                await client.until("USERSTATE")
                if client is ann or number > 0:
                    texts.append(text)
                if number > 0:
                    await other.until(f":{text}")
        late = await net.login("late", caps=POSITIONS)
        late.send("@godwit-after=1-0 JOIN #room")
        seen = [line.split(" :")[-1] for line in await late.until("line4b") if "PRIVMSG" in line]
        assert [text for text in seen if text != "line0b"] == texts


async def test_a_join_elsewhere_is_let_in_and_told_where_the_channel_lives() -> None:
    """JOIN-7, SC-4."""
    async with world() as net:
        await _talked(net)
        await net.join("keeper")
        await net.move("room", "aws")
        ann = await net.join("ann")
        assert (await ann.until("SERVERCHANGE"))[-1].endswith("SERVERCHANGE #room")
        bob = await net.join("bob", "room", "aws")
        assert await bob.flush() == []
        bob.send("PRIVMSG #room :hello")
        await ann.until(":hello")


async def test_an_early_joiner_is_silent_until_the_channel_comes() -> None:
    """JOIN-7."""
    async with world() as net:
        await _talked(net)
        here = await net.join("here")
        early = await net.login("early", "aws", POSITIONS)
        early.send("JOIN #room")
        answer = (await early.until("ROOMSTATE"))[-1]
        assert "godwit-home=0;" in answer
        assert "godwit-position" not in answer
        await early.until("SERVERCHANGE")
        here.send("PRIVMSG #room :before")
        await here.until("USERSTATE")
        assert await early.flush() == []
        await net.move("room", "aws")
        here.send("PRIVMSG #room :after")
        seen = [line.split(" :")[-1] for line in await early.until("PRIVMSG")]
        assert seen == ["after"]


async def test_an_early_joiner_hears_the_channel_that_came_and_went_on_without_a_line() -> None:
    """JOIN-7."""
    async with world() as net:
        await _talked(net)
        here = await net.join("here")
        early = await net.login("early", "aws")
        early.send("JOIN #room")
        await early.until("SERVERCHANGE")
        for to in ("aws", "main"):
            await net.move("room", to)
            await net.idle()
        here.send("PRIVMSG #room :hello")
        assert (await early.until("PRIVMSG"))[-1].endswith(":hello")


async def test_an_account_on_both_sides_is_served_on_the_new_one_only() -> None:
    """JOIN-7, PART-1."""
    async with world() as net:
        await _talked(net)
        old = await net.join("bot")
        new = await net.login("bot", "aws")
        new.send("JOIN #room")
        await new.until("SERVERCHANGE")
        other = await net.join("other")
        await net.move("room", "aws")
        await old.until("bot PART #room".replace("bot PART", ":bot!bot@bot.tmi.twitch.tv PART"))
        other.send("PRIVMSG #room :once")
        await new.until(":once")
        assert await old.flush() == []
        assert net.nodes["main"].members("room") == 1


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("part", ["NOTICE", "PART"]),
        ("reconnect", ["RECONNECT"]),
        ("bridge", []),
    ],
)
async def test_the_legacy_rule_ends_the_drain(rule: str, expected: list[str]) -> None:
    """NOTICE-5, PART-1, RC-1, RC-2."""
    async with world(move={"legacy_rule": rule}) as net:
        node = net.nodes["main"]
        await _talked(net)
        ann = await net.join("ann")
        await net.move("room", "aws")
        await ann.until("SERVERCHANGE")
        net.clock.advance(61.0)
        await node.compare()
        await net.idle()
        lines = await ann.flush()
        assert [word for line in lines for word in ("NOTICE", "PART", "RECONNECT") if f" {word}" in line] == expected
        if rule == "part":
            assert net.addresses("aws").tcp[0] in lines[0]
        if rule == "reconnect":
            node.sweep(node.loop.time() + 6.0)
            assert await ann.rest() == []
        assert node.members("room") == (1 if rule == "bridge" else 0)


async def test_after_the_drain_a_join_may_be_refused() -> None:
    """JOIN-7."""
    async with world(move={"legacy_rule": "part"}) as net:
        await _talked(net)
        keeper = await net.join("keeper")
        await net.move("room", "aws")
        await keeper.until("SERVERCHANGE")
        net.clock.advance(61.0)
        await net.nodes["main"].compare()
        ann = await net.login("ann")
        ann.send("JOIN #room")
        assert len(await ann.until("SERVERCHANGE")) == 1
        assert await ann.flush() == []
        assert net.session("ann").rooms == {}


async def test_who_is_in_the_channel_and_refused_when_joining_again_is_out() -> None:
    """JOIN-7, PART-1, JOIN-8."""
    async with world(move={"legacy_rule": "part"}) as net:
        node = net.nodes["main"]
        await _talked(net)
        ann, watcher = await net.join("ann"), await net.join("watcher", caps=f"{ALL} twitch.tv/membership")
        await net.move("room", "aws")
        await ann.until("SERVERCHANGE")
        node.room("room").audience.announce()
        await watcher.flush()
        net.clock.advance(61.0)
        ann.send("JOIN #room")
        heard = [*await ann.until("SERVERCHANGE"), *await ann.flush()]
        assert heard.count(":ann!ann@ann.tmi.twitch.tv PART #room") == 1
        assert sum("SERVERCHANGE" in line for line in heard) == 1
        assert [line for line in heard if " JOIN " in line or "ROOMSTATE" in line] == []
        assert net.session("ann").rooms == {}
        assert net.session("ann") not in node.room("room").fanout
        node.room("room").tick()
        node.room("room").audience.announce()
        told = await watcher.flush()
        assert told.count(":watcher!watcher@watcher.tmi.twitch.tv PART #room") == 1
        assert [line for line in told if ":ann!" in line] == []  # it was out itself by then


async def test_of_who_was_never_let_in_others_hear_nothing() -> None:
    """JOIN-8."""
    async with world() as net:
        room = net.nodes["main"].room("room")
        await _talked(net)
        watcher = await net.join("watcher", caps=f"{ALL} twitch.tv/membership")
        await net.login("ann")
        room.leave(net.session("ann"))
        room.audience.announce()
        assert await watcher.flush() == []


async def test_lines_that_are_lost_are_told_to_all_who_are_served() -> None:
    """NOTICE-2."""
    async with world() as net:
        await _talked(net)
        ann = await net.join("ann", caps=POSITIONS)
        await net.store.reopen({"main": "stream-anew"})
        net.forget_log("main", "stream-anew")
        net.clock.advance(20.0)
        node = net.nodes["main"]
        await node.compare()
        assert "godwit-missing=unknown;msg-id=godwit_gap" in (await ann.until("NOTICE"))[-1]
        ann.send("PRIVMSG #room :again")
        assert "id=" in (await ann.until("USERSTATE"))[-1]


async def test_a_changed_setting_is_shown() -> None:
    """STATE-3."""
    async with world() as net:
        await _talked(net)
        ann, plain = await net.join("ann"), await net.join("plain", caps="")
        session = net.session("ann")
        change = Change("c1", 0, session.producer, 0, session.author("room"), {"slow": 30})
        assert net.nodes["main"].room("room").submit(change)
        (line,) = await ann.until("ROOMSTATE")
        assert line.startswith("@room-id=")
        assert line.endswith(";slow=30 :tmi.twitch.tv ROOMSTATE #room")
        assert await plain.flush() == []
        bob = await net.login("bob")
        bob.send("JOIN #room")
        assert ";slow=30;" in (await bob.until("ROOMSTATE"))[-1]
