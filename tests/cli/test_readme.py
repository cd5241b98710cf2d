"""The README names every command."""

from __future__ import annotations

from pathlib import Path

import pytest

from godwit.cli.root import commands

README = (Path(__file__).parents[2] / "README.md").read_text()


@pytest.mark.parametrize("command", commands())
def test_command_is_in_the_readme(command: str) -> None:
    """A command that the README does not show is not found."""
    assert f"`godwit {command}`" in README
