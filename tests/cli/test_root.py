"""The tree of commands."""

from __future__ import annotations

import subprocess
import sys

import pytest

from godwit.cli.root import commands
from tests.cli.conftest import run

COMMANDS = [
    "serve",
    "chat",
    "demo",
    "demo rollout",
    "channel show",
    "channel move",
    "channel live",
    "channel offline",
    "channel hold",
    "channel release",
    "channel explain",
    "channel facts",
    "channel import",
    "channel bans",
    "channel ban",
    "channel timeout",
    "channel unban",
    "channel roles",
    "channel role",
    "channel unrole",
    "channel usernotice",
    "channel followers",
    "channel follow",
    "channel unfollow",
    "channel subscribers",
    "channel subscribe",
    "channel unsubscribe",
    "account show",
    "account set",
    "account import",
    "emote list",
    "emote add",
    "emote remove",
    "emote import",
    "audit list",
    "audit export",
    "rollout plan",
    "rollout start",
    "rollout list",
    "rollout status",
    "rollout pause",
    "rollout resume",
    "rollout abort",
    "rollout reverse",
    "rollout skip",
    "rollout retry",
    "rollout explain",
    "rollout set",
    "rollout approve",
    "rollout issue add",
    "rollout issue resolve",
    "rollout issue list",
    "rollout report",
    "rollout items",
    "process list",
    "cluster list",
    "cluster retire",
    "cluster restore",
    "cluster evacuate",
    "cluster default",
    "bench",
    "migrate",
    "edge",
    "directory",
    "controller",
    "up",
    "doctor",
    "repair",
    "changes",
    "account add",
    "account token",
    "account tokens",
    "account revoke",
    "account list",
    "account remove",
    "config show",
    "config check",
    "config explain",
]


def test_all_commands() -> None:
    """Those of the manual, no others."""
    assert sorted(commands()) == sorted(COMMANDS)


@pytest.mark.parametrize(
    "command", ["", "channel", "rollout", "rollout issue", "cluster", "process", "account", "config", *COMMANDS]
)
def test_every_help_teaches(command: str) -> None:
    """A sentence and an example."""
    done = run(*command.split(), "--help")
    assert done.status == 0
    text = " ".join(done.out.split())
    if command == "rollout":
        assert "Begin with: godwit rollout plan" in text
    elif command:
        assert f"Example: godwit {command}" in text
    else:
        assert "Begin with: godwit demo" in text


def test_hidden_switches_are_not_told() -> None:
    """`--fault` is for tests."""
    assert "--fault" not in run("demo", "--help").out


def test_python_minus_m() -> None:
    """It works as a module, and asking for help loads nothing heavy."""
    code = (
        "import sys, runpy\n"
        "sys.argv = ['godwit', '--help']\n"
        "try:\n"
        "    runpy.run_module('godwit', run_name='__main__')\n"
        "finally:\n"
        "    heavy = {'fastapi', 'sqlalchemy', 'uvicorn', 'pydantic', 'alembic', 'godwit.app',\n"
        "             'godwit.rollout.values', 'godwit.cli.progress', 'godwit.cli.tables'} & set(sys.modules)\n"
        "    print('heavy:', sorted(heavy))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Usage: godwit" in done.stdout
    assert done.stdout.rstrip().endswith("heavy: []")
