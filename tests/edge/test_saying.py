"""What may be said in a room, and how its authors look, over real connections (SAY-banned to SAY-duplicate)."""

from __future__ import annotations

from typing import Any

import pytest

from godwit.errors import StoreUnavailable
from godwit.store.memory import MemoryStore
from godwit.values import Relation
from tests.edge.commands.stage import ROOM, Stage, notices, stage


def talkative(**limits: Any) -> Any:
    """The room, where nobody is held to rates, but repeats are noticed."""
    rates = {"messages": 10_000, "elevated_messages": 10_000, "channel_interval": 0.001}
    return stage(limits={"preset": "now", **rates, **limits})


async def facts(room: Stage, login: str, **ties: Any) -> None:
    """Bring what ties an account to the room, before anybody is there."""
    relation = Relation(ROOM, room.ids[login], **ties)
    await room.net.store.set_relations([relation], ("follow", "subscription"))
    await look(room)


async def look(room: Stage) -> None:
    """Have the nodes see that something was brought."""
    for node in room.net.nodes.values():
        await node.relations.check()


async def shown(room: Stage, nick: str, text: str) -> str:
    """The tags with which the broadcaster sees what somebody says; '' if it is not shown."""
    await room.hears("boss")
    await room.says(nick, text)
    lines = [line for line in await room.hears("boss") if line.endswith(f" PRIVMSG #{ROOM} :{text}")]
    return lines[0].partition(" ")[0] if lines else ""


# how authors look ---------------------------------------------------------------------------------


@pytest.mark.row("BADGE-1", "BADGE-2")
async def test_roles_are_shown() -> None:
    async with stage() as room:
        mod, vip = await shown(room, "mod", "hi"), await shown(room, "vic", "hi")
        assert "badges=moderator/1;" in mod
        assert ";mod=1;" in mod
        assert mod.endswith(";user-type=mod")
        assert "badges=vip/1;" in vip
        assert ";vip=1" in vip
        assert "badges=staff/1;" in await shown(room, "sue", "hi")
        await room.hears("ann")
        await room.says("boss", "hi")
        (line,) = [line for line in await room.hears("ann") if "PRIVMSG" in line]
        assert "badges=broadcaster/1;" in line
        assert ";mod=0;" in line


@pytest.mark.row("BADGE-1")
async def test_subscriptions_and_badges_are_shown_with_the_role() -> None:
    async with stage() as room:
        await facts(room, "mod", subscriber=True, months=7, tier="2000")
        await room.net.store.set_account("mod", badges=("turbo/1",), bot="known")
        await look(room)
        tags = await shown(room, "mod", "hi")
        assert "badge-info=subscriber/7;badges=moderator/1,subscriber/2006,turbo/1,bot-badge/1;" in tags
        assert ";subscriber=1;" in tags
        assert ";turbo=1;" in tags


@pytest.mark.row("BADGE-2", "STATE-1")
async def test_a_role_that_is_given_and_taken_shows_at_once() -> None:
    async with stage() as room:
        await room.client("ann")
        await room.says("boss", "/mod ann")
        assert ";mod=1;" in await shown(room, "ann", "one")
        (state,) = [line for line in await room.says("ann", "two") if "USERSTATE" in line]
        assert "badges=moderator/1;" in state
        await room.says("boss", "/unmod ann")
        assert ";mod=0;" in await shown(room, "ann", "three")


# what is refused ----------------------------------------------------------------------------------


@pytest.mark.row("SAY-banned", "NOTICE-msg_banned", "NOTICE-msg_timedout")
async def test_who_is_banned_is_told_at_once() -> None:
    async with stage() as room:
        await room.client("ann")
        await room.client("bob")
        await room.play(("boss", "/ban ann", "NOTICE-ban_success", "ann is now banned from this channel."))
        await room.says("boss", "/timeout bob 60")
        counts = room.net.nodes["main"].counts
        taken = counts.accepted
        room.net.clock.advance(20.5)
        await room.play(
            ("ann", "hi", "NOTICE-msg_banned", "You are permanently banned from talking in boss."),
            ("bob", "hi", "NOTICE-msg_timedout", "You are banned from talking in boss for 40 more seconds."),
        )
        assert counts.accepted == taken
        room.net.clock.advance(40.0)
        assert await shown(room, "bob", "hi")


@pytest.mark.row("SAY-subscribers", "NOTICE-msg_subsonly")
async def test_subscribers_only() -> None:
    async with stage() as room:
        await facts(room, "bob", subscriber=True, months=1, tier="1000")
        await room.says("boss", "/subscribers")
        link = "https://www.twitch.tv/products/boss/ticket?ref=subscriber_only_mode_chat"
        text = f"This room is in subscribers only mode. To talk, purchase a channel subscription at {link}."
        await room.play(("ann", "hi", "NOTICE-msg_subsonly", text), ("bob", "hi", "", ""))
        assert await shown(room, "vic", "hi")


@pytest.mark.row("SAY-followers")
@pytest.mark.row("NOTICE-msg_followersonly", "NOTICE-msg_followersonly_followed", "NOTICE-msg_followersonly_zero")
async def test_followers_only() -> None:
    async with stage() as room:
        now = room.net.clock.now()
        await facts(room, "bob", follows_since=now - 3600 * 25)
        await facts(room, "vic", follows_since=now - 59)
        await room.says("boss", "/followers")
        text = "This room is in followers-only mode. Follow boss to join the community!"
        await room.play(("ann", "hi", "NOTICE-msg_followersonly_zero", text), ("bob", "hi", "", ""))
        await room.says("boss", "/followers 2d")
        await room.play(
            (
                "ann",
                "ho",
                "NOTICE-msg_followersonly",
                "This room is in 2 days followers-only mode. Follow boss to join the community!",
            ),
            (
                "bob",
                "ho",
                "NOTICE-msg_followersonly_followed",
                "This room is in 2 days followers-only mode. You have been following for 1 day 1 hour. "
                "Continue following to chat!",
            ),
        )
        assert await shown(room, "vic", "ho")


@pytest.mark.row("SAY-emotes", "NOTICE-msg_emoteonly")
async def test_emote_only() -> None:
    async with stage() as room:
        await room.says("boss", "/emoteonly")
        text = (
            "This room is in emote only mode. You can find your currently available emoticons using the smiley in the "
            "chat text area."
        )
        await room.play(("ann", "hi Kappa", "NOTICE-msg_emoteonly", text), ("ann", "Kappa Keepo Kappa", "", ""))
        assert await shown(room, "mod", "words")


@pytest.mark.row("SAY-slow", "NOTICE-msg_slowmode")
async def test_slow() -> None:
    async with stage() as room:
        await room.says("boss", "/slow 10")
        text = "This room is in slow mode and you are sending messages too quickly. You will be able to talk again in"
        await room.play(("ann", "one", "", ""), ("ann", "two", "NOTICE-msg_slowmode", f"{text} 10 seconds."))
        room.net.clock.advance(9.5)
        await room.play(("ann", "two", "NOTICE-msg_slowmode", f"{text} 1 seconds."))
        room.net.clock.advance(0.5)
        assert await shown(room, "ann", "two")


@pytest.mark.row("SAY-unique", "NOTICE-msg_r9k")
async def test_unique_chat() -> None:
    async with stage() as room:
        await room.says("boss", "/uniquechat")
        text = "This room is in r9k mode and the message you attempted to send is not unique."
        await room.play(
            ("ann", "hello everybody", "", ""),
            ("bob", "Hello, everybody!", "NOTICE-msg_r9k", text),
            ("mod", "hello everybody", "", ""),
        )


@pytest.mark.row("SAY-duplicate", "SAY-exempt", "NOTICE-msg_duplicate")
async def test_duplicates() -> None:
    async with talkative() as room:
        text = (
            "Your message was not sent because it is identical to the previous one you sent, less than 30 seconds ago."
        )
        await room.play(("ann", "hello", "", ""))
        room.net.clock.advance(29.0)
        await room.play(
            ("ann", "hello  ", "NOTICE-msg_duplicate", text),
            ("bob", "hello", "", ""),
            ("mod", "hello", "", ""),
            ("mod", "hello", "", ""),
        )
        room.net.clock.advance(1.0)
        assert await shown(room, "ann", "hello")


@pytest.mark.row("SAY-characters", "NOTICE-msg_bad_characters")
async def test_what_is_no_text() -> None:
    async with stage() as room:
        ann = await room.client("ann")
        await room.hears("ann")
        ann.writer.write(b"PRIVMSG #boss :\xff\xff\xff a\r\n")
        assert [told for told, _ in notices(await room.hears("ann"))] == ["msg_bad_characters"]


@pytest.mark.row("SAY-suspended", "NOTICE-msg_suspended", "NOTICE-msg_channel_suspended")
async def test_suspended() -> None:
    async with stage() as room:
        await room.client("ann")
        await room.client("bob")
        await room.net.store.set_account("ann", suspended=True)
        await look(room)
        await room.play(
            ("ann", "hi", "NOTICE-msg_suspended", "Your account has been suspended."), ("bob", "hi", "", "")
        )
        await room.net.store.set_account("boss", channel_suspended=True)
        mod = await room.net.login("mod")
        mod.send("PRIVMSG #boss :hi")
        await room.net.idle()
        assert notices(await mod.flush()) == [("msg_channel_suspended", "This channel has been suspended.")]


# what waits ---------------------------------------------------------------------------------------


@pytest.mark.row("MSG-11")
async def test_what_somebody_says_who_has_not_joined_waits_until_the_room_is_known() -> None:
    """In its order, with the commands."""
    async with stage() as room:
        await room.net.claim(ROOM)
        bob = await room.client("bob")
        await room.hears("bob")
        ann = await room.net.login("ann", "aws")
        ann.send("PRIVMSG #boss :one", "PRIVMSG #boss :/mods", "PRIVMSG #boss :two")
        await room.net.idle()
        await room.net.idle()
        assert [line.split(" :")[-1] for line in await bob.flush() if "PRIVMSG" in line] == ["one", "two"]
        heard = await ann.flush()
        assert [line.split(" ")[2] for line in heard if "USERSTATE" in line] == ["USERSTATE"] * 2
        assert [told for told, _ in notices(heard)] == ["room_mods"]


class Silent(MemoryStore):
    """Does not answer where channels are."""

    silent = False

    async def placements(self, channels: Any) -> Any:
        if self.silent:
            raise StoreUnavailable("away")
        return await super().placements(channels)


@pytest.mark.row("MSG-11", "NOTICE-godwit_unsent")
async def test_what_waits_too_long_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.edge.world.MemoryStore", Silent)
    async with stage(log={"hold": 3.0}) as room:
        ann, store, node = await room.net.login("ann"), room.net.store, room.net.nodes["main"]
        assert isinstance(store, Silent)
        store.silent = True
        ann.send("PRIVMSG #boss :hello")
        await room.net.idle()
        assert await ann.flush() == []
        room.net.clock.advance(3.5)
        node.sweep(node.loop.time())
        await room.net.idle()
        assert [text.split(": ")[-1] for told, text in notices(await ann.flush()) if told == "godwit_unsent"] == [
            "hello"
        ]


@pytest.mark.row("MSG-11", "LIMIT-7")
@pytest.mark.parametrize("text", ["hello", "/mods"])
async def test_nobody_has_any_number_of_channels_read_by_talking_to_them(text: str) -> None:
    limits = {"preset": "now", "elevated_messages": 20}
    async with stage(limits=limits, edge={"pending_per_sender": 30}) as room:
        ann, node = await room.net.login("ann"), room.net.nodes["main"]
        ann.send(*(f"PRIVMSG #room{number} :{text}" for number in range(50)))
        refused = [line for line in await ann.flush() if "msg_ratelimit" in line]
        assert [line.split(" ")[3] for line in refused] == [f"#room{number}" for number in range(30, 50)]
        await room.net.idle()
        await room.net.idle()
        assert node.counts.messages_over == 10
        assert (node.statistics().channels, room.net.session("ann").waiting) == (30, 0)
        ann.send(*(f"PRIVMSG #more{number} :{text}" for number in range(30)))
        assert not [line for line in await ann.flush() if "#more" in line]
        assert (node.statistics().channels, node.counts.messages_over) == (30, 40)


@pytest.mark.row("MSG-11")
@pytest.mark.parametrize("limits", [{"preset": "off"}, {"preset": "now", "messages": 60}])
async def test_who_may_say_much_may_have_as_much_waiting(limits: dict[str, Any]) -> None:
    async with stage(limits=limits, edge={"pending_per_sender": 30}) as room:
        ann, node = await room.net.login("ann"), room.net.nodes["main"]
        ann.send(*(f"PRIVMSG #room{number} :hello" for number in range(50)))
        assert await ann.flush() == []
        for _ in range(50):
            await ann.until("USERSTATE")
        assert node.statistics().channels == 50


@pytest.mark.row("MSG-11", "LIMIT-7")
async def test_limits_hold_for_when_something_came_not_for_how_long_it_waited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.edge.world.MemoryStore", Silent)
    async with stage(limits={"preset": "now"}) as room:
        net, store, node = room.net, room.net.store, room.net.nodes["main"]
        assert isinstance(store, Silent)
        await net.claim(ROOM)
        node.sweep(node.loop.time())
        node.sweep(node.loop.time() + node.settings.edge.linger + 1)
        ann = await net.login("ann")
        store.silent = True
        for text, seconds in (("one", 1.5), ("two", 0.5), ("three", 1.0)):
            ann.send(f"PRIVMSG #boss :{text}")
            assert await ann.flush() == []
            net.clock.advance(seconds)
        store.silent = False
        node.sweep(node.loop.time())
        await net.idle()
        await net.idle()
        heard = await ann.flush()
        assert sum(" USERSTATE " in line for line in heard) == 2
        assert [told for told, _ in notices(heard)] == ["msg_ratelimit"]  # the third, which came too soon


@pytest.mark.row("MSG-11")
async def test_what_somebody_said_who_has_gone_is_said_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """And whoever may not say it is told nothing any more, which harms nobody."""
    monkeypatch.setattr("tests.edge.world.MemoryStore", Silent)
    async with stage() as room:
        store, node = room.net.store, room.net.nodes["main"]
        assert isinstance(store, Silent)
        await room.net.claim(ROOM)
        await room.net.another("main-2", "main")
        bob = await room.net.join("bob", ROOM, "main-2")
        await room.client("ann")
        await room.says("boss", "/ban ann")
        for client in room.clients:
            client.close()
        await room.net.until(lambda: not node.sessions)
        node.sweep(node.loop.time())
        node.sweep(node.loop.time() + node.settings.edge.linger + 1)
        store.silent = True
        ann, mod = await room.net.login("ann"), await room.net.login("mod")
        ann.send("PRIVMSG #boss :no", "QUIT")
        mod.send("PRIVMSG #boss :yes", "QUIT")
        await room.net.until(lambda: not node.sessions)
        store.silent = False
        node.sweep(node.loop.time())
        assert (await bob.until("PRIVMSG"))[-1].endswith(" :yes")
        assert node.counts.sessions_failed == 0


@pytest.mark.row("LIMIT-2")
async def test_not_too_much_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.edge.world.MemoryStore", Silent)
    async with stage(edge={"pending_per_sender": 2}) as room:
        ann, store = await room.net.login("ann"), room.net.store
        assert isinstance(store, Silent)
        store.silent = True
        ann.send(*(f"PRIVMSG #boss :{number}" for number in range(4)))
        await room.net.idle()
        assert [told for told, _ in notices(await ann.flush())] == ["msg_ratelimit"] * 2


async def test_what_fails_in_its_turn_ends_its_own_connection_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    async with stage() as room:
        ann, bob = await room.net.login("ann"), await room.net.login("bob")

        def broken(session: Any, *rest: Any) -> bool:
            if session.nick == "ann":
                raise RuntimeError("broken")
            return True

        monkeypatch.setattr("godwit.edge.talk.may_say", broken)
        ann.send("PRIVMSG #boss :one")
        bob.send("PRIVMSG #boss :two")
        assert (await bob.until("USERSTATE"))[-1].endswith("USERSTATE #boss")
        assert await ann.rest() == []
        assert room.net.nodes["main"].counts.sessions_failed == 1
