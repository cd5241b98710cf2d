"""What a server tells of a rollout, for tests."""

from __future__ import annotations

from typing import Any

NOW = 1_000_600.0

PLAN: dict[str, Any] = {
    "name": "spring",
    "to": "aws",
    "sources": ["main"],
    "hash": "8c1f0a6be2d97430",
    "count": 4998,
    "seconds": 4210.0,
    "waves": [
        {
            "name": "staff",
            "count": 10,
            "hot": 8,
            "cold": 2,
            "members": 431,
            "largest": {"channel": "alice", "members": 120},
            "first": ["zoe", "bob"],
            "gates": ["issues"],
            "mandatory": False,
            "seconds": 600.0,
        },
        {
            "name": "everyone",
            "count": 4988,
            "hot": 50,
            "cold": 4938,
            "members": 51_000,
            "largest": {"channel": "dragonslayer", "members": 40_000},
            "first": ["a1", "a2"],
            "gates": ["issues", "approval", "p99", "rehearsal"],
            "mandatory": True,
            "seconds": 3610.0,
        },
    ],
    "excluded": [
        *({"channel": f"out{index}", "reason": "opted out, and no mandatory wave takes it"} for index in range(5)),
        {"channel": "carol", "reason": "already on aws"},
    ],
    "unknown": ["ghost"],
    "warnings": ["12 channels are live now: they wait for their streams to end"],
}

STATUS: dict[str, Any] = {
    "id": "r1",
    "name": "spring",
    "number": 1,
    "to": "aws",
    "sources": ["main"],
    "state": "running",
    "why": "",
    "by": "ann",
    "reason": "the new cluster",
    "hash": "8c1f0a6be2d97430",
    "at_once": False,
    "created": 1_000_000.0,
    "version": "40-12-69-7",
    "wave": 1,
    "waves": [
        {
            "name": "staff",
            "state": "done",
            "since": 1_000_100.0,
            "mandatory": False,
            "counts": {"done": 9, "skipped": 1},
            "back": {},
            "done": 9,
            "total": 10,
            "gates": [
                {"name": "issues", "kind": "issues", "when": "before", "verdict": "pass", "detail": ""}
                | {"value": None, "time": 1_000_000.0, "approved": False}
            ],
        },
        {
            "name": "partners",
            "state": "moving",
            "since": 1_000_450.0,
            "mandatory": False,
            "counts": {"waiting": 40, "moving": 12, "done": 60, "failed": 1},
            "back": {},
            "done": 60,
            "total": 113,
            "gates": [
                {"name": "yes", "kind": "approval", "when": "before", "verdict": "", "detail": ""}
                | {"value": None, "time": 0.0, "approved": True},
                {"name": "p99", "kind": "probe", "when": "during", "verdict": "fail", "detail": "p99 is 812 ms"}
                | {"value": 0.812, "time": 1_000_590.0, "approved": False},
            ],
        },
        {
            "name": "everyone",
            "state": "pending",
            "since": 0.0,
            "mandatory": True,
            "counts": {"waiting": 4877},
            "back": {},
            "done": 0,
            "total": 4877,
            "gates": [],
        },
    ],
    "done": 69,
    "total": 5000,
    "rate": 8.25,
    "eta": 596.0,
    "budget": {"in_flight": 20, "cold_in_flight": 1000, "hot_per_second": 1.0, "cold_per_second": 500.0},
    "issues": [
        {"id": "i1", "wave": "staff", "text": "songbot answers twice", "by": "bob", "time": 1_000_300.0}
        | {"resolved": 0.0, "resolved_by": "", "resolution": ""}
    ],
    "waiting": {
        "its wave 'everyone' has not begun": 4877,
        "live: it waits for its stream to end": 31,
        "held by ann: tournament": 1,
    },
    "history": [{"state": "running", "time": 1_000_000.0, "by": "ann", "why": "the new cluster"}],
}
