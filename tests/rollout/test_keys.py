"""The tables of keys: every field of a definition can be written, and every key is documented."""

from __future__ import annotations

import pytest

from godwit.rollout.keys import TABLES, meant

SUBTABLES = {"": {"waves", "budget"}, "wave": {"gates"}}


@pytest.mark.parametrize("table", TABLES)
def test_every_field_has_a_key(table: str) -> None:
    struct, rows = TABLES[table]
    fields = {row.field or key for key, row in rows.items()} - {"file"}
    assert fields == set(struct.__struct_fields__) - SUBTABLES.get(table, set())


@pytest.mark.parametrize("table", TABLES)
def test_every_key_says_what_it_does(table: str) -> None:
    for row in TABLES[table][1].values():
        assert row.help.endswith((".", "see below."))
        assert row.takes


def test_a_word_that_is_nearly_known_is_hinted_at() -> None:
    assert meant("chanels", ["channels", "tiers"]) == "did you mean 'channels'?"
    assert meant("zzz", ["channels", "tiers"]) == "known are channels, tiers"
