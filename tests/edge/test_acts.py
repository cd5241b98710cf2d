"""What records are called where they are told of, and what becomes of those that fail."""

from __future__ import annotations

from typing import Any

import pytest

from godwit.chatlog.memory import MemoryLog
from godwit.edge import acts
from godwit.errors import ChatLogUnavailable
from godwit.values import Act, Arrive, Author, Change, Message, Record, Tell, UserNotice
from tests.edge.commands.stage import stage

BOSS = Author("1", "boss")


def _act(kind: Any, reason: str = "") -> Act:
    return Act("a", 1, "p", 1, kind, BOSS, "7", "ann", reason=reason)


@pytest.mark.row("NOTICE-3")
@pytest.mark.parametrize(
    ("record", "told"),
    [
        (Message("m", 1, "p", 1, BOSS, "hello"), "hello"),
        (_act("ban", "rude"), "/ban ann"),
        (_act("lift", "untimeout"), "/untimeout ann"),
        (_act("lift"), "/unban ann"),
        (Act("a", 1, "p", 1, "clear", BOSS), "/clear"),
        (Change("c", 1, "p", 1, BOSS, {"slow": 5, "r9k": 1}), "a change of slow, r9k"),
        (UserNotice("u", 1, "p", 1, "announcement", BOSS, text="party"), "party"),
        (UserNotice("u", 1, "p", 1, "raid", BOSS, "3 raiders"), "3 raiders"),
        (Tell("t", 1, "p", 1, "soon"), "soon"),
        (Arrive("v", 1, "p", 1, "aws", ()), ""),
    ],
)
def test_what_somebody_tried(record: Any, told: str) -> None:
    assert acts.typed(record) == told


@pytest.mark.row("NOTICE-3", "NOTICE-godwit_unsent", "NOTICE-9")
async def test_an_act_that_the_log_does_not_take_is_told_as_it_was_typed_and_not_taken_for_done() -> None:
    async with stage() as room:
        await room.told("mod", "/mods")
        log = room.net.logs["main"]
        assert isinstance(log, MemoryLog)
        store = log.store

        def store_nothing(channel: str, record: Record, stream: str) -> int:
            raise ChatLogUnavailable("away")

        log.store = store_nothing  # type: ignore[method-assign]
        assert await room.told("mod", "/ban ann") == []
        room.net.clock.advance(50.0)
        room.net.nodes["main"].room("boss").tick()
        assert await room.hears("mod") == [
            "@msg-id=godwit_unsent :tmi.twitch.tv NOTICE #boss "
            ":Your message was not sent because the chat did not answer: /ban ann"
        ]
        log.store = store  # type: ignore[method-assign]
        assert await room.told("mod", "/unban ann") == [("bad_unban_no_ban", "ann is not banned from this channel.")]
