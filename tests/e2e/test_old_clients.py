"""An ordinary IRC client from Debian, and tmi.js, on a cluster that speaks the dialect of 2016."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bots.driver import bot
from tests.bots.ii import SERVER, ii
from tests.e2e.harness import raw_client, serve


@pytest.mark.row("OLD-1", "OLD-2", "OLD-3", "OLD-4", "OLD-9", "CAP-6", "LOGIN-1", "GROUP-2")
async def test_an_ordinary_irc_client_joins_talks_and_moderates(tmp_path: Path) -> None:
    files, server_files = tmp_path / "ii", tmp_path / "server"
    files.mkdir()
    server_files.mkdir()
    async with (
        serve(server_files, "edge.dialect.main=2016") as server,
        raw_client(server.tcp(), "ann") as ann,
        raw_client(server.tcp("aws"), "bob") as bob,
        bot("tmi", server.ws(), "star", "star") as star,
        ii(files, server.tcp(), "boss", "#boss", "jtv") as windows,
    ):
        home, room, jtv = windows[SERVER], windows["#boss"], windows["jtv"]
        home.type("/j #boss")
        await room.shows("boss(boss@boss.tmi.twitch.tv) has joined #boss")

        # It hears and is heard.
        await ann.login("boss")
        ann.say("boss", "good morning")
        await room.shows("<ann> good morning")
        room.type("good day")
        await ann.expect(" PRIVMSG #boss :good day")

        # It moderates, and jtv tells what came of it.
        room.type(".slow 30")
        await room.shows("<jtv> This room is now in slow mode. You may send messages every 30 seconds.")
        assert await ann.expect("@slow=") == "@slow=30 :tmi.twitch.tv ROOMSTATE #boss"
        room.type(".slowoff")
        await room.shows("<jtv> This room is no longer in slow mode.")
        room.type(".timeout ann 60 too loud")
        await room.shows("<jtv> ann has been timed out for 60 seconds.")
        line = await ann.expect("CLEARCHAT")
        assert line == "@ban-duration=60;ban-reason=too\\sloud :tmi.twitch.tv CLEARCHAT #boss :ann"
        room.type(".untimeout ann")
        await room.shows("<jtv> ann is no longer timed out in this room.")
        room.type(".mods")
        await room.shows("<jtv> There are no moderators of this room.")
        room.type(".w ann psst")
        await room.shows("<jtv> Unrecognized command: /w")

        # It hosts, and is hosted; tmi.js knows who hosts it by what jtv says.
        room.type(".host star")
        await room.shows("<jtv> Now hosting star.")
        hosted = await star.event("told", what="hosted")
        assert hosted["args"][:2] == ["#star", "boss"]
        assert (await star.call("slow", "#star", 30))["value"] == ["#star", 30]
        assert (await star.call("mods", "#star"))["value"] == []
        assert (await star.call("host", "#star", "boss"))["value"] == ["#star", "boss", 2]
        await jtv.shows("<jtv> star is now hosting you")

        # The channel moves to a cluster that speaks as it is done today.
        await server.move("boss", "aws")
        await bob.login("boss")
        bob.say("boss", "greetings from the new place")
        await room.shows("<bob> greetings from the new place")
        room.type("and back")
        assert (await bob.expect(" PRIVMSG #boss :and back")).startswith("@badge-info=;badges=broadcaster/1;")
