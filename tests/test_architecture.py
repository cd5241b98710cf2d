"""The import floors of `docs/architecture.md`, and what else holds for every file of the project.

Each rule is a function from a source text to what is wrong with it, so that it is tested on bad texts as well.
"""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "godwit"

FLOORS = {
    **dict.fromkeys(("errors", "values", "clock", "settings", "buckets", "ending"), 0),
    **dict.fromkeys(("tmi", "chat", "rollout"), 1),
    **dict.fromkeys(("chatlog", "store", "wire"), 2),
    **dict.fromkeys(("edge", "control", "web", "client", "drill", "load"), 3),
    **dict.fromkeys(
        ("config", "clocks", "ground", "network", "crowd", "steering", "app", "roles", "local", "cli", "__main__"), 4
    ),
}
"""Every module and package directly under `godwit`. Imports go down; beside each other only on floors 0 and 4."""

OUTSIDERS = {"errors", "values", "clock", "settings", "buckets", "ending", "tmi", "wire"}
"""All that rooms may know that are not part of the server."""

MUST_NOT = {
    "edge": {"rollout"},
    "client": FLOORS.keys() - OUTSIDERS,
    "drill": FLOORS.keys() - OUTSIDERS,
    "load": FLOORS.keys() - {"errors", "tmi"},
}
"""What a room must not import although it lies on a lower floor."""

PURE = {"tmi", "chat", "rollout"}
IMPURE_MODULES = {"asyncio", "socket", "ssl", "time", "random", "logging"}

LONG, TOO_LONG, TOO_LONG_TEST = 400, 700, 1000


def room_of(name: str) -> str:
    """The module or package directly under `godwit` that a dotted name lies in; '' for `godwit` itself."""
    return name.split(".")[1] if "." in name else ""


def imported(module: str, is_package: bool, source: str) -> Iterator[tuple[int, str]]:
    """Every module that a source imports at any depth, with its line; relative names are made whole.

    `from godwit import tmi` counts as `godwit.tmi`.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = module.split(".")
                parents = parents[: len(parents) - node.level + is_package]
                base = ".".join([*parents, base]) if base else ".".join(parents)
            for alias in node.names:
                yield node.lineno, f"{base}.{alias.name}"
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"__import__", "importlib.import_module"}:
            first = node.args[0] if node.args else None
            yield node.lineno, first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else "?"


def floor_faults(module: str, is_package: bool, source: str) -> list[str]:
    """Say which imports of a module go where they must not."""
    here = room_of(module)
    faults = []
    for line, name in imported(module, is_package, source):
        where = f"{module}:{line}: {name}"
        if name == "?":
            faults.append(f"{where}: an import that nobody can check")
        if here in PURE and name.split(".")[0] in IMPURE_MODULES:
            faults.append(f"{where}: {here} is pure")
        if name.split(".")[0] != "godwit":
            continue
        there = room_of(name)
        if there not in FLOORS:
            if there not in {"", "__version__"}:
                faults.append(f"{where}: no such room")
        elif here == "":
            faults.append(f"{where}: the package itself imports nothing")
        elif here != there:
            if FLOORS[there] > FLOORS[here]:
                faults.append(f"{where}: goes up, from floor {FLOORS[here]} to {FLOORS[there]}")
            elif FLOORS[there] == FLOORS[here] and FLOORS[here] not in {0, 4}:
                faults.append(f"{where}: rooms of one floor do not see each other")
            elif there in MUST_NOT.get(here, ()):
                faults.append(f"{where}: {here} must not know {there}")
    return faults


def sleep_faults(name: str, source: str) -> list[str]:
    """Say where a test waits for time to pass; `asyncio.sleep(0)` only yields and is fine."""
    tree = ast.parse(source)
    modules: dict[str, str] = {}
    functions: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {alias.asname or alias.name: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            functions |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    faults = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        head, _, tail = called.rpartition(".")
        called = f"{modules.get(head, head)}.{tail}" if head else functions.get(called, called)
        yields = called == "asyncio.sleep" and node.args and ast.unparse(node.args[0]) == "0"
        if called in {"time.sleep", "asyncio.sleep"} and not yields:
            faults.append(f"{name}:{node.lineno}: {called}")
    return faults


MACHINE_PATHS = re.compile(r"(?<![\w.~/$}])/(?:work|root|home/\w+|Users/\w+|opt/\w+)(?=/|\b)(?!\w)")
REGISTRIES = [
    *("py" + "pi.org", "python" + "hosted.org", "npm" + "js.org", "npm" + "js.com", "yarn" + "pkg.com"),
    *("deb." + "debian" + ".org", "security." + "debian" + ".org", "archive." + "ubuntu.com", "crates" + ".io"),
    *("proxy." + "golang.org", "ghcr" + ".io", "docker" + ".io"),
]


def text_faults(name: str, text: str) -> list[str]:
    """Say which lines of a file name a path of one machine or a host of a package registry."""
    faults = []
    for number, line in enumerate(text.splitlines(), 1):
        if found := MACHINE_PATHS.search(line):
            faults.append(f"{name}:{number}: a path of one machine: {found[0]}")
        faults += [f"{name}:{number}: a package registry's host: {host}" for host in REGISTRIES if host in line]
    return faults


def size_faults(name: str, text: str) -> list[str]:
    """Say whether a Python file is too long."""
    limit = TOO_LONG_TEST if name.startswith("tests/") else TOO_LONG
    lines = text.count("\n")
    return [f"{name}: {lines} lines, at most {limit} are allowed"] if lines > limit else []


def tracked_files() -> list[str]:
    """All files of the project that git knows or would take."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    return sorted({name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()})


def texts(suffix: str = "", under: str = "") -> Iterator[tuple[str, str]]:
    """The text files of the project by name."""
    for name in tracked_files():
        if name.endswith(suffix) and name.startswith(under):
            try:
                yield name, (ROOT / name).read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue


def test_imports_keep_to_the_floors() -> None:
    faults = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        module = ".".join(parts[:-1] if is_package else parts)
        faults += floor_faults(module, is_package, path.read_text(encoding="utf-8"))
    assert faults == []


def test_every_room_has_a_floor() -> None:
    rooms = {path.stem for path in PACKAGE.glob("*.py")} | {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert rooms - {"__init__"} - FLOORS.keys() == set()


def test_tests_do_not_sleep() -> None:
    # The bots and the fault run are programs of their own: they pace themselves as people and operators do.
    programs = {f"tests/bots/{kind}_bot.py" for kind in ("irc", "twitchio")}
    programs |= {name for name, _ in texts(".py", "tests/chaos/") if not name.startswith("tests/chaos/test_")}
    found = [(name, text) for name, text in texts(".py", "tests/") if name not in programs]
    assert [fault for name, text in found for fault in sleep_faults(name, text)] == []


def test_no_file_is_too_long() -> None:
    sizes = list(texts(".py"))
    for name, text in sizes:
        if name.startswith("src/") and text.count("\n") > LONG:
            print(f"{name} is longer than {LONG} lines: look for a seam")
    assert [fault for name, text in sizes for fault in size_faults(name, text)] == []


def test_files_name_no_machine_and_no_registry() -> None:
    assert [fault for name, text in texts() for fault in text_faults(name, text)] == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("godwit.tmi.message", "import asyncio"),
        ("godwit.tmi.message", "import asyncio.events"),
        ("godwit.chat.room", "from time import monotonic"),
        ("godwit.rollout.plan", "def f():\n    import random"),
        ("godwit.chat.room", "import logging.handlers as h"),
        ("godwit.tmi.message", "from godwit.chat import room"),
        ("godwit.tmi.message", "from ..chat import room"),
        ("godwit.tmi.message", "from .. import rollout"),
        ("godwit.tmi.message", "from godwit import chat"),
        ("godwit.values", "import godwit.tmi.message"),
        ("godwit.chatlog.memory", "from godwit.store.base import Store"),
        ("godwit.wire.dial", "from godwit.edge import session"),
        ("godwit.edge.node", "from godwit.rollout import moves"),
        ("godwit.edge.node", "from godwit.control import controller"),
        ("godwit.edge.node", "def f():\n    from godwit.web import api"),
        ("godwit.control.controller", "from godwit.edge import node"),
        ("godwit.web.api", "from godwit.control import controller"),
        ("godwit.client.client", "from godwit.store.base import Store"),
        ("godwit.client.client", "from godwit.chat import room"),
        ("godwit.client.client", "from godwit.edge import node"),
        ("godwit.drill.demo", "from godwit.client.client import Client"),
        ("godwit.drill.demo", "from godwit.chatlog import memory"),
        ("godwit.load.crowd", "from godwit.wire import dial"),
        ("godwit.web.api", "from godwit.app import App"),
        ("godwit.web.api", "import importlib\nimportlib.import_module('godwit.edge')"),
        ("godwit.web.api", "import importlib\nname = 'x'\nimportlib.import_module(name)"),
        ("godwit.web.api", "__import__('godwit.control')"),
        ("godwit.web.api", "from godwit.utils import helper"),
        ("godwit.web.api", "if TYPE_CHECKING:\n    from godwit.edge import node"),
    ],
)
def test_floor_rule_catches(module: str, source: str) -> None:
    assert len(floor_faults(module, False, source)) == 1


def test_floor_rule_catches_in_packages() -> None:
    assert len(floor_faults("godwit.tmi", True, "from ..chat import room")) == 1
    assert len(floor_faults("godwit", True, "from godwit.values import Move")) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("godwit.tmi.message", "from .text import clean\nfrom godwit.tmi.text import clean\nimport re"),
        ("godwit.tmi.message", "from ..values import Move\nfrom godwit.errors import GodwitError"),
        ("godwit.wire.dial", "import asyncio\nfrom godwit.tmi import message"),
        ("godwit.edge.node", "from godwit.chat import room\nfrom godwit.chatlog.base import ChatLog"),
        ("godwit.client.client", "from godwit.wire import dial\nfrom godwit.tmi import follow\nimport random"),
        ("godwit.cli.serve", "from godwit.app import App\nfrom godwit import __version__"),
        ("godwit.values", "from godwit.errors import GodwitError"),
    ],
)
def test_floor_rule_lets_pass(module: str, source: str) -> None:
    assert floor_faults(module, False, source) == []


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime.sleep(1)",
        "import time\ntime.sleep(0)",
        "import time as t\nt.sleep(0.1)",
        "from time import sleep as nap\nnap(1)",
        "import asyncio\nasync def f(): await asyncio.sleep(0.01)",
        "import asyncio as a\nasync def f(x): await a.sleep(x)",
        "from asyncio import sleep\nasync def f(): await sleep(1)",
        "import asyncio\nasync def f(): await asyncio.sleep(delay=1)",
    ],
)
def test_sleep_rule_catches(source: str) -> None:
    assert len(sleep_faults("x", source)) == 1


@pytest.mark.parametrize(
    "source",
    ["import asyncio\nasync def f(): await asyncio.sleep(0)", "clock.sleep(5)", "async def f(sleep): await sleep(1)"],
)
def test_sleep_rule_lets_pass(source: str) -> None:
    assert sleep_faults("x", source) == []


@pytest.mark.parametrize(
    "text",
    [
        "see " + "/wo" + "rk/main/x.py",
        "cd " + "/ro" + "ot",
        'open("' + "/ho" + 'me/jo/x")',
        "/Us" + "ers/jo/x",
        "https://" + REGISTRIES[0] + "/simple",
    ],
)
def test_text_rule_catches(text: str) -> None:
    assert len(text_faults("x", text)) == 1


@pytest.mark.parametrize(
    "text", ["GET /servers", "tests/root/x", "https://irc.example.net/home/", "the /working set", "~/.local/state"]
)
def test_text_rule_lets_pass(text: str) -> None:
    assert text_faults("x", text) == []


@pytest.mark.parametrize(("name", "most"), [("src/godwit/x.py", TOO_LONG), ("tests/test_x.py", TOO_LONG_TEST)])
def test_size_rule(name: str, most: int) -> None:
    assert size_faults(name, "x\n" * most) == []
    assert len(size_faults(name, "x\n" * (most + 1))) == 1
