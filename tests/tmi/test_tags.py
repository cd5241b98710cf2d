"""Tags in front of a line."""

from __future__ import annotations

import pytest

from godwit.errors import LocalProtocolError
from godwit.tmi.tags import flag, millis, tagged


@pytest.mark.row("LINE-4")
def test_tags_are_sorted_and_escaped() -> None:
    assert tagged({"b": "two words", "a": "", "c": "x;y"}, "PING :x") == b"@a=;b=two\\swords;c=x\\:y PING :x\r\n"
    assert tagged({}, "PING :x") == b"PING :x\r\n"


@pytest.mark.row("LINE-3")
def test_what_cannot_be_on_a_line_is_refused() -> None:
    with pytest.raises(LocalProtocolError):
        tagged({}, "PING :x\r\nQUIT :y")


def test_values() -> None:
    assert (flag(True), flag(False), millis(1.5), millis(1507246572.6751)) == ("1", "0", "1500", "1507246572675")
