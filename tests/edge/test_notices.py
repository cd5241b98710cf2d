"""Texts of NOTICE."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from godwit.edge.notices import TEXTS, text
from godwit.tmi import render
from godwit.tmi.capabilities import Caps


@pytest.mark.parametrize("msg_id", TEXTS)
def test_every_text_can_be_filled_in_and_sent(msg_id: str) -> None:
    """NOTICE-1."""
    values = {name: f"<{name}>" for name in re.findall(r"\{(\w+)\}", TEXTS[msg_id])}
    filled = text(msg_id, **values)
    assert all(value in filled for value in values.values())
    assert "{" not in filled
    assert render.notice(Caps.COMMANDS, "room", msg_id, filled).endswith(f" :{filled}\r\n".encode())


def test_every_notice_is_documented() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
    table = page[page.index("| `msg-id` of a NOTICE |") : page.index("## Moving")]
    assert set(re.findall(r"`([a-z_]+)`", table)) == {*TEXTS, "godwit_gap", "godwit_moving"}


def test_what_somebody_typed_is_not_taken_for_a_place_to_fill_in() -> None:
    assert text("invalid_user", user="{user}{0}") == "Invalid username: {user}{0}"
