"""Plots are drawn for what was measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import plots
from bench.versus import Row


def test_a_picture_for_each_kind(tmp_path: Path) -> None:
    """Members and channels, but no lines, since nobody measured them."""
    pytest.importorskip("matplotlib", reason="the plots are drawn by what requirements/dev.txt has")
    settings = ("10 members", "100 members", "1 channels")
    figures = {"cpu_us": 1.0, "p50_ms": 1.0, "p99_ms": 2.0}
    names = plots.draw([Row("growth", "godwit", setting, figures=figures) for setting in settings], tmp_path)
    assert names == ["growth-members.png", "growth-channels.png"]
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in names)
    assert not list(tmp_path.glob("growth-lines*"))


def test_nothing_measured(tmp_path: Path) -> None:
    """Nothing is drawn."""
    assert plots.draw([], tmp_path) == []
