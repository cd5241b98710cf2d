"""Which scenarios and servers a bench takes."""

from __future__ import annotations

import pytest

from bench.__main__ import main
from bench.versus import COMPARISONS, Options


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nothing"], "no scenario nothing: choose among"),
        (["a", "--only", "godwit,inspired"], "--only: no server inspired: choose among"),
    ],
)
def test_unknown_names(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Who mistypes a name is told, before anything is measured."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("only", "servers"),
    [
        (("godwit",), {"godwit", "godwit+tags"}),
        (("godwit+tags",), {"godwit+tags"}),
        (("kernel", "inspircd"), {"kernel", "kernel+tags", "inspircd"}),
    ],
)
def test_only_some_servers(only: tuple[str, ...], servers: set[str]) -> None:
    """A server's own name takes all its rows, the name of a row that one."""
    assert set(COMPARISONS["b"].chosen(Options(only=only))) == servers
