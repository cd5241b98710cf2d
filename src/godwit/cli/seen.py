"""The plans that were looked at here, so that `start` can say what has changed since."""

from __future__ import annotations

import contextlib
import json
import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from godwit.cli.ready import state_of

KEPT = 10
"""Plans that are kept."""


def remember(plan: dict[str, Any], environ: Mapping[str, str]) -> None:
    """Keep a plan. Where that cannot be, `start` says a little less: no reason to fail."""
    file = _file(plan["hash"], environ)
    if file is None:
        return
    with contextlib.suppress(OSError):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.write_text(json.dumps(plan))
        known = sorted(file.parent.glob("*.json"), key=lambda kept: kept.stat().st_mtime, reverse=True)
        for old in known[KEPT:]:
            old.unlink(missing_ok=True)


def recall(plan_hash: str, environ: Mapping[str, str]) -> dict[str, Any] | None:
    """The plan of that hash, if it was looked at here and is still kept."""
    file = _file(plan_hash, environ)
    if file is None:
        return None
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _file(plan_hash: str, environ: Mapping[str, str]) -> Path | None:
    """Where a plan is kept; a hash is part of the name, so it has to be one."""
    if not plan_hash or len(plan_hash) > 64 or not set(plan_hash) <= set(string.hexdigits):
        return None
    return state_of(environ) / "plans" / f"{plan_hash}.json"
