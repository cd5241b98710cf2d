"""Unmodified bots in a channel that moves: nobody loses, repeats or reorders a line."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.bots.driver import Bot, bot
from tests.e2e.harness import RawClient, Server, raw_client, serve

CHANNEL = "room"
AHEAD = 3
"""How many lines of one bot may be on their way at once."""

TAGS = ("--caps", "twitch.tv/tags", "twitch.tv/commands")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with serve(tmp_path) as running:
        yield running


class Talk:
    """Bots that talk among themselves, and a witness who hears all of them.

    What each said is on record, so that at the end what each heard can be compared with it.
    """

    def __init__(self, bots: list[Bot], witness: RawClient) -> None:
        self.bots = bots
        self.witness = witness
        self.said: dict[str, list[str]] = {bot.nick: [] for bot in bots}

    def say(self, speaker: Bot, text: str) -> None:
        speaker.say(text)
        self.said[speaker.nick].append(text)

    async def heard(self, speaker: Bot, text: str) -> None:
        """Wait until everybody else has heard a line."""
        for listener in self.bots:
            if listener is not speaker:
                await listener.message(speaker.nick, text)
        spoken = (speaker.nick, text)
        await self.witness.until(lambda: spoken in self.witness.heard(CHANNEL), f"{spoken}")

    async def speak(self, speaker: Bot, topic: str, stop: asyncio.Event, most: int) -> None:
        """Say lines, a few ahead of what has been heard, until told to stop; at least one."""
        lines: list[str] = []
        while not lines or (len(lines) < most and not stop.is_set()):
            lines.append(f"{topic} {len(lines)}")
            self.say(speaker, lines[-1])
            if len(lines) > AHEAD:
                await self.heard(speaker, lines[-1 - AHEAD])
        await self.heard(speaker, lines[-1])

    @contextlib.asynccontextmanager
    async def going_on(self, topic: str) -> AsyncIterator[None]:
        """Everybody talks while the block runs; at its end all has been heard."""
        stop = asyncio.Event()
        first = [f"{topic} 0"]
        async with asyncio.TaskGroup() as group:
            for speaker in self.bots:
                # twitchio refuses to say more than 19 lines in 30 seconds.
                most = 5 if speaker.nick.startswith("twitchio") else 200
                group.create_task(self.speak(speaker, topic, stop, most))
            try:
                for speaker in self.bots:
                    await self.heard(speaker, first[0])
                yield
            finally:
                stop.set()

    async def round(self, topic: str) -> None:
        """Everybody says one line."""
        for speaker in self.bots:
            self.say(speaker, topic)
            await self.heard(speaker, topic)

    def check(self) -> None:
        """Each heard every line of the others exactly once, in the one order that the witness saw."""
        record = self.witness.heard(CHANNEL)
        for nick, lines in self.said.items():
            assert [text for sender, text in record if sender == nick] == lines
        for listener in self.bots:
            assert listener.heard() == [line for line in record if line[0] != listener.nick], listener.nick
            ids = [event["id"] for event in listener.named("message") if event["id"]]
            assert len(ids) == len(set(ids)), listener.nick
            assert listener.named("error") == listener.named("disconnected") == [], listener.nick


def server_changes(listener: Bot) -> list[str]:
    """The SERVERCHANGE lines that a bot's library got."""
    return [event["line"] for event in listener.named("raw") if f" SERVERCHANGE #{CHANNEL}" in event["line"]]


async def told(listener: Bot) -> None:
    """Wait until a bot has been told that the channel has moved."""
    await listener.until(lambda: bool(server_changes(listener)), "SERVERCHANGE")


async def test_three_libraries_talk_through_a_move_there_and_back(server: Server) -> None:
    async with (
        raw_client(server.tcp(), "witness") as witness,
        bot("tmi", server.ws(), "tmibot", CHANNEL) as tmi,
        bot("twitchio", server.ws(), "twitchiobot", CHANNEL, "--pace", "0.3") as twitchio,
        bot("irc", server.tcp(), "ircbot", CHANNEL) as irc,
    ):
        await witness.login(CHANNEL)
        talk = Talk([tmi, twitchio, irc], witness)
        await talk.round("before")

        async with talk.going_on("there"):
            await server.move(CHANNEL, "aws")
        assert (await server.show(CHANNEL))["cluster"] == "aws"
        for listener in talk.bots:
            await told(listener)
        await talk.round("away")

        async with talk.going_on("back"):
            await server.move(CHANNEL, "main")
        assert (await server.show(CHANNEL))["cluster"] == "main"
        await talk.round("after")

        talk.check()
        # Told once; the way back leads to where they never left.
        for listener in talk.bots:
            assert len(server_changes(listener)) == 1, listener.nick


async def test_bot_on_both_clusters_answers_each_command_once(server: Server) -> None:
    async with (
        raw_client(server.tcp(), "witness") as witness,
        bot("tmi", server.ws(), "asker", CHANNEL) as asker,
        bot("irc", server.tcp(), "helper", CHANNEL, "--also", server.tcp("aws"), *TAGS) as helper,
    ):
        await helper.event("joined", at=server.tcp())
        await helper.event("joined", at=server.tcp("aws"))
        await witness.login(CHANNEL)
        questions = 60
        helper.answer({f"!ask {n}": f"answer {n}" for n in range(questions)})

        async def ask(numbers: range) -> None:
            for n in numbers:
                asker.say(f"!ask {n}")
                await asker.message("helper", f"answer {n}")

        await ask(range(0, 10))
        await asyncio.gather(ask(range(10, 30)), server.move(CHANNEL, "aws"))
        await helper.event("parted", at=server.tcp())
        await asyncio.gather(ask(range(30, 50)), server.move(CHANNEL, "main"))
        await ask(range(50, questions))

        await witness.flush()
        answers = [text for sender, text in witness.heard(CHANNEL) if sender == "helper"]
        assert answers == [f"answer {n}" for n in range(questions)]
        heard = [text for sender, text in helper.heard("asker")]
        assert heard == [f"!ask {n}" for n in range(questions)]


async def test_tmi_js_restarted_at_the_old_cluster_goes_on_working(server: Server) -> None:
    async with (
        raw_client(server.tcp("aws"), "witness") as witness,
        bot("irc", server.tcp(), "ircbot", CHANNEL) as irc,
    ):
        await witness.login(CHANNEL)
        async with bot("tmi", server.ws(), "tmibot", CHANNEL) as tmi:
            irc.say("before")
            await tmi.message("ircbot", "before")
            await server.move(CHANNEL, "aws")
            irc.say("moved")
            await tmi.message("ircbot", "moved")

        async with bot("tmi", server.ws(), "tmibot", CHANNEL) as tmi:
            await told(tmi)
            irc.say("welcome back")
            await tmi.message("ircbot", "welcome back")
            tmi.say("thanks")
            await irc.message("tmibot", "thanks")
            witness.say(CHANNEL, "greetings from the new place")
            await tmi.message("witness", "greetings from the new place")
            tmi.say("and back")
            await witness.expect("and back")

            await server.move(CHANNEL, "main")
            irc.say("home again")
            await tmi.message("ircbot", "home again")
            assert tmi.heard() == [
                ("ircbot", "welcome back"),
                ("witness", "greetings from the new place"),
                ("ircbot", "home again"),
            ]
