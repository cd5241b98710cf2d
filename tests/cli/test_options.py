"""Options that several commands take."""

from __future__ import annotations

import getpass

import pytest

from godwit.cli.options import actor


def test_who_acts(monkeypatch: pytest.MonkeyPatch) -> None:
    """As given, else the machine's user, else something."""
    monkeypatch.setenv("LOGNAME", "olaf")
    assert (actor("ann"), actor(None), actor("")) == ("ann", "olaf", "olaf")

    def nobody() -> str:
        raise KeyError("no such user")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert actor(None) == "cli"
