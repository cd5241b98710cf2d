"""What scopes allow (AUTH-5, AUTH-6)."""

from __future__ import annotations

import pytest

from godwit.edge.auth.scopes import COMMANDS, DEFAULT, EDIT, MODERATE, READ, lacking, may_log_in, may_speak
from godwit.edge.commands.table import COMMANDS as TABLE
from godwit.edge.commands.table import Who


@pytest.mark.row("AUTH-5")
@pytest.mark.parametrize(
    ("scopes", "logs_in", "speaks"),
    [
        (None, True, True),
        ({READ}, True, False),
        ({EDIT}, True, True),
        ({READ, EDIT}, True, True),
        ({MODERATE}, False, False),
        (set(), False, False),
    ],
)
def test_reading_and_writing(scopes: set[str] | None, logs_in: bool, speaks: bool) -> None:
    found = None if scopes is None else frozenset(scopes)
    assert (may_log_in(found), may_speak(found)) == (logs_in, speaks)


@pytest.mark.row("AUTH-6")
def test_commands_of_moderators_need_more() -> None:
    writer = frozenset({READ, EDIT})
    assert lacking(writer, "ban") == "moderator:manage:banned_users"
    assert lacking(writer | {"moderator:manage:banned_users"}, "ban") == ""
    assert lacking(writer | {MODERATE}, "ban") == ""
    assert lacking(writer | {"moderator:manage:banned_users"}, "slow") == "moderator:manage:chat_settings"
    assert lacking(frozenset({MODERATE}), "ban") == EDIT
    assert lacking(None, "ban") == ""


@pytest.mark.row("AUTH-6")
def test_one_s_own_commands_need_no_more() -> None:
    assert [lacking(frozenset({EDIT}), name) for name in ("color", "help", "mods", "me")] == [""] * 4
    assert lacking(frozenset({READ}), "color") == EDIT
    assert lacking(frozenset({EDIT}), "w") == "user:manage:whispers"
    assert lacking(frozenset({READ}), "disconnect") == ""


def test_every_command_is_thought_of() -> None:
    """What changes a channel needs a scope; what needs one is a command."""
    assert COMMANDS.keys() <= TABLE.keys()
    assert {name for name, row in TABLE.items() if row.who is not Who.ANYBODY} <= COMMANDS.keys()


def test_the_scopes_of_a_new_token_allow_all_that_can_be_typed() -> None:
    assert [name for name in TABLE if lacking(frozenset(DEFAULT), name)] == []
