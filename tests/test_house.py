"""The pinned requirements agree with what the package asks for, and hold hashes only."""

from __future__ import annotations

import json
import re
import tomllib

import pytest

from tests.docs import ROOT

PINNED = ["run", "test", "dev"]

NODE = [("tests/bots/node", "tmi.js", "1.8.5"), ("bench/node", "ws", "8.23.0")]


def asked(name: str) -> set[str]:
    """The lines of a requirements/*.in file, without comments and inclusions."""
    lines = (ROOT / "requirements" / f"{name}.in").read_text(encoding="utf-8").splitlines()
    return {line.replace('"', "'") for line in lines if line and not line.startswith(("#", "-"))}


def pins(name: str) -> dict[str, str]:
    """Package -> version, as pinned in a requirements/*.txt file."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([\w.-]+)(?:\[[\w,]+\])?==([^\s;\\]+)", text, re.MULTILINE))


def test_run_time_requirements_are_those_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = {*project["project"]["dependencies"], *project["build-system"]["requires"]}
    assert asked("run") == wanted


@pytest.mark.parametrize("name", PINNED)
def test_every_pin_has_a_hash(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    blocks = re.split(r"\n(?=\S)", text.strip())
    assert [block for block in blocks if "--hash=sha256:" not in block] == []


@pytest.mark.parametrize(("larger", "smaller"), [("test", "run"), ("dev", "test")])
def test_larger_set_only_adds(larger: str, smaller: str) -> None:
    assert pins(smaller).items() <= pins(larger).items()


@pytest.mark.parametrize("name", PINNED)
def test_what_is_asked_for_is_pinned(name: str) -> None:
    names = {re.split(r"[\[<>=;]", line)[0].lower() for line in asked(name)}
    assert names <= pins(name).keys()


@pytest.mark.parametrize(("folder", "name", "version"), NODE)
def test_node_packages_are_pinned_by_content_not_by_place(folder: str, name: str, version: str) -> None:
    lock = json.loads((ROOT / folder / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert packages[f"node_modules/{name}"]["version"] == version
    assert [name for name, entry in packages.items() if "integrity" not in entry or "resolved" in entry] == []
