"""What the doctor finds, as values."""

from __future__ import annotations

from typing import Literal

import msgspec

from godwit.values import Segment

Kind = Literal[
    "dead-segment",
    "dead-default",
    "unknown-cluster",
    "chain",
    "uncommitted-seal",
    "missing-seal",
    "joint",
    "overdue-drain",
    "stuck-move",
    "lagging-edge",
    "item-elsewhere",
    "item-without-move",
    "retired-cluster",
    "no-leader",
]

SHOWN = 20
"""Findings that a summary names; more are counted."""


class Finding(msgspec.Struct, frozen=True):
    """Something that does not agree.

    Attributes:
        what: in one line.
        channel: whose, '' if it concerns the whole network.
        rollout: id of the rollout whose item it is.
        repair: what `repair` would do about it, '' if there is nothing that it can do.
        force: it would do so only by force, because lines may be lost or told of as missing.
        source, to: the segments that it is about: the one to be sealed, and the one to go on in.
    """

    kind: Kind
    what: str
    channel: str = ""
    rollout: str = ""
    repair: str = ""
    force: bool = False
    source: Segment | None = None
    to: Segment | None = None


class Findings(msgspec.Struct, frozen=True):
    """The outcome of an examination.

    Attributes:
        clean: nothing was found.
        channels, moves, items: how many were looked at.
        time: when it began.
        seconds: how long it took.
    """

    findings: tuple[Finding, ...]
    clean: bool
    channels: int
    moves: int
    items: int
    time: float
    seconds: float


def summarise(found: Findings) -> str:
    """An examination as text, a line for each finding."""
    looked = (
        f"looked at {found.channels} channels, {found.moves} unfinished moves and {found.items} items "
        f"of rollouts in {found.seconds:.1f} s"
    )
    if found.clean:
        return f"clean: store, logs and edges agree ({looked})"
    lines = [f"{len(found.findings)} found ({looked})"]
    lines += [line(finding) for finding in found.findings[:SHOWN]]
    if len(found.findings) > SHOWN:
        lines.append(f"and {len(found.findings) - SHOWN} more")
    return "\n".join(lines)


def line(finding: Finding) -> str:
    """A finding in one line."""
    where = f"#{finding.channel}: " if finding.channel else ""
    mend = f" (repair: {finding.repair}{', by force only' if finding.force else ''})" if finding.repair else ""
    return f"{finding.kind}: {where}{finding.what}{mend}"
