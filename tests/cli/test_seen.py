"""Plans that were looked at here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from godwit.cli import seen
from tests.cli.samples import PLAN


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Where they are kept."""
    return {"XDG_STATE_HOME": str(tmp_path)}


def test_a_plan_is_kept(environ: dict[str, str]) -> None:
    """Under its hash."""
    seen.remember(PLAN, environ)
    assert seen.recall(PLAN["hash"], environ) == PLAN
    assert seen.recall("0" * 16, environ) is None


def test_not_all_are_kept(environ: dict[str, str], tmp_path: Path) -> None:
    """The newest are."""
    for number in range(seen.KEPT + 2):
        seen.remember({**PLAN, "hash": f"{number:016x}"}, environ)
        os.utime(tmp_path / "godwit" / "plans" / f"{number:016x}.json", (number, number))
    kept = [number for number in range(seen.KEPT + 2) if seen.recall(f"{number:016x}", environ)]
    assert kept == list(range(2, seen.KEPT + 2))


@pytest.mark.parametrize("plan_hash", ["", "../x", "x" * 16, "0" * 65])
def test_what_is_no_hash(environ: dict[str, str], tmp_path: Path, plan_hash: str) -> None:
    """Nothing is written or read."""
    seen.remember({**PLAN, "hash": plan_hash}, environ)
    assert seen.recall(plan_hash, environ) is None
    assert list(tmp_path.rglob("*.json")) == []


@pytest.mark.parametrize("content", ["{", "[]", ""])
def test_a_broken_file(environ: dict[str, str], tmp_path: Path, content: str) -> None:
    """Counts as none."""
    seen.remember(PLAN, environ)
    (tmp_path / "godwit" / "plans" / f"{PLAN['hash']}.json").write_text(content)
    assert seen.recall(PLAN["hash"], environ) is None


def test_nowhere_to_keep_it(tmp_path: Path) -> None:
    """No reason to fail."""
    (tmp_path / "godwit").write_text("a file")
    seen.remember(PLAN, {"XDG_STATE_HOME": str(tmp_path)})
    assert seen.recall(PLAN["hash"], {"XDG_STATE_HOME": str(tmp_path)}) is None
