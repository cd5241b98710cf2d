"""Texts of NOTICE."""

from __future__ import annotations

import html
import re

import pytest

from godwit.edge.notices import TEXTS, TEXTS_2016, text
from godwit.tmi import render
from godwit.tmi.capabilities import Caps
from tests.rows import PAGE

NEVER = (
    "NOTICE-autohost_receive",
    "NOTICE-bad_marker_client",
    "NOTICE-bad_vip_achievement_incomplete",
    "NOTICE-host_target_went_offline",
    "NOTICE-msg_censored_broadcaster",
    "NOTICE-msg_channel_blocked",
    "NOTICE-msg_facebook",
    "NOTICE-msg_rejected",
    "NOTICE-msg_rejected_mandatory",
    "NOTICE-msg_verified_email",
    "NOTICE-raid_error_too_many_viewers",
    "NOTICE-raid_notice_mature",
    "NOTICE-tos_ban",
    "NOTICE-unavailable_command",
    "NOTICE-whisper_restricted",
    "NOTICE-whisper_restricted_recipient",
)
"""Ids that clients know and nobody sends."""

_RATE = "You are sending whispers too fast."
_FOLLOW = "Follow boss to join the community!"

OTHERS = {
    "NOTICE-msg_bad_characters": (
        "Your message was not sent because it contained too many unprocessable characters. If you believe this is an "
        "error, please rephrase and try again."
    ),
    "NOTICE-msg_channel_suspended": "This channel has been suspended.",
    "NOTICE-msg_duplicate": (
        "Your message was not sent because it is identical to the previous one you sent, less than 30 seconds ago."
    ),
    "NOTICE-msg_emoteonly": (
        "This room is in emote only mode. You can find your currently available emoticons using the smiley in the "
        "chat text area."
    ),
    "NOTICE-msg_followersonly": f"This room is in 10 minutes followers-only mode. {_FOLLOW}",
    "NOTICE-msg_followersonly_followed": (
        "This room is in 10 minutes followers-only mode. You have been following for 1 minute. Continue following to "
        "chat!"
    ),
    "NOTICE-msg_followersonly_zero": f"This room is in followers-only mode. {_FOLLOW}",
    "NOTICE-msg_r9k": "This room is in r9k mode and the message you attempted to send is not unique.",
    "NOTICE-msg_ratelimit": "Your message was not sent because you are sending messages too quickly.",
    "NOTICE-msg_room_not_found": "The room was not found.",
    "NOTICE-msg_slowmode": (
        "This room is in slow mode and you are sending messages too quickly. You will be able to talk again in 9 "
        "seconds."
    ),
    "NOTICE-msg_subsonly": (
        "This room is in subscribers only mode. To talk, purchase a channel subscription at "
        "https://www.twitch.tv/products/boss/ticket?ref=subscriber_only_mode_chat."
    ),
    "NOTICE-msg_suspended": "Your account has been suspended.",
    "NOTICE-whisper_banned": "You have been banned from sending whispers.",
    "NOTICE-whisper_banned_recipient": "That user has been banned from receiving whispers.",
    "NOTICE-whisper_limit_per_min": f"{_RATE} Try again in a minute.",
    "NOTICE-whisper_limit_per_sec": f"{_RATE} Try again in a second.",
    "NOTICE-usage_w": 'Usage: "/w <login> <message>" - Whisper to a user.',
    "NOTICE-godwit_moved": ("This channel lives on cluster aws now. Connect to irc.example.net:6667 to go on."),
    "NOTICE-godwit_unknown": "Your message may or may not have been delivered: hi",
    "NOTICE-godwit_read_only": "Your token may only read: it lacks the scope chat:edit.",
    "NOTICE-godwit_scope": "Your token lacks the scope chat:edit.",
    "NOTICE-godwit_whisper_recipients": "You have whispered to too many people today.",
    "NOTICE-godwit_unsent": "Your message was not sent because the chat did not answer: hi",
}
"""Texts of NOTICEs that are not answers to commands."""


@pytest.mark.parametrize("msg_id", TEXTS)
def test_every_text_can_be_filled_in_and_sent(msg_id: str) -> None:
    """NOTICE-1."""
    values = {name: f"<{name}>" for name in re.findall(r"\{(\w+)\}", TEXTS[msg_id])}
    filled = text(msg_id, **values)
    assert all(value in filled for value in values.values())
    assert "{" not in filled
    assert render.notice(Caps.COMMANDS, "room", msg_id, filled).endswith(f" :{filled}\r\n".encode())


def test_every_notice_is_documented_with_its_text() -> None:
    page = PAGE.read_text(encoding="utf-8")
    section = page[page.index("## Notices") : page.index("Never sent:")]
    rows = {
        msg_id: html.unescape(told)
        for msg_id, told in re.findall(r"^\| NOTICE-([a-z0-9_]+) \| (.*) \|$", section, re.M)
    }
    assert rows == {msg_id: re.sub(r"\{(\w+)\}", r"<\1>", told) for msg_id, told in TEXTS.items()}


@pytest.mark.parametrize("row", NEVER)
def test_what_is_never_sent_has_no_text(row: str) -> None:
    assert row.removeprefix("NOTICE-") not in TEXTS


@pytest.mark.parametrize(
    ("row", "told"), [pytest.param(row, told, id=row, marks=pytest.mark.row(row)) for row, told in OTHERS.items()]
)
def test_texts_of_what_other_rooms_of_the_code_send(row: str, told: str) -> None:
    values = {"duration": "10 minutes", "followed": "1 minute", "channel": "boss", "seconds": 9, "text": "hi"}
    values |= {"cluster": "aws", "address": "irc.example.net:6667", "scope": "chat:edit"}
    assert text(row.removeprefix("NOTICE-"), **values) == told


def test_what_somebody_typed_is_not_taken_for_a_place_to_fill_in() -> None:
    assert text("invalid_user", user="{user}{0}") == "Invalid username: {user}{0}"


@pytest.mark.row("OLD-9")
def test_in_the_dialect_of_2016_some_texts_speak_of_the_room() -> None:
    different = {msg_id for msg_id in TEXTS if TEXTS[msg_id] != TEXTS_2016[msg_id]}
    row = next(line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| OLD-9 |"))
    assert different == set(re.findall("`([a-z_0-9]+)`", row))
    for msg_id in different:
        assert TEXTS_2016[msg_id] == TEXTS[msg_id].replace("channel", "room"), msg_id
    assert text("ban_success", "2016", user="ann") == "ann is now banned from this room."
    assert text("ban_success", user="ann") == "ann is now banned from this channel."
