"""The report of a rollout: made from what the store holds, and written as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from godwit.rollout.forecast import spell
from godwit.rollout.outcome import Part, Report, Reporter, Spread
from godwit.rollout.values import Event, Issue, Item, Rollout, Sample
from godwit.values import Move

__all__ = ["Report", "Reporter", "markdown", "report"]

SHOWN = 50
"""Rows of a table that the Markdown shows; the JSON has more."""


def report(
    rollout: Rollout,
    items: Iterable[Item],
    moves: Iterable[Move],
    issues: Iterable[Issue] = (),
    events: Iterable[Event] = (),
    samples: Iterable[tuple[str, Sample]] = (),
) -> Report:
    """Make the report of a rollout; each of its parts may come in any order.

    Args:
        moves: those of other rollouts are passed over.
        samples: each with the name of its wave.
    """
    reporter = Reporter(rollout)
    for item in items:
        reporter.item(item)
    for move in moves:
        reporter.move(move)
    for issue in issues:
        reporter.issue(issue)
    for event in events:
        reporter.event(event)
    for wave, sample in samples:
        reporter.sample(wave, sample)
    return reporter.report()


def markdown(report: Report) -> str:
    """Write a report for people; times are in UTC."""
    sections = [
        _head(report),
        _waves(report),
        _times(report),
        _followed(report),
        _moves(report),
        _gates(report),
        _issues(report),
        _failures(report),
        _history(report),
    ]
    return "\n".join(section for section in sections if section)


def _head(report: Report) -> str:
    total = report.total
    lines = [
        f"# Rollout {_text(report.name)}",
        "",
        f"To {report.to}"
        + (f" from {', '.join(report.sources)}" if report.sources else "")
        + f", started by {_text(report.by) or 'nobody named'} at {_time(report.created)}, plan {report.hash}.",
    ]
    if report.reason:
        lines.append(f"Reason: {_text(report.reason)}.")
    why = f": {_text(report.why)}" if report.why else ""
    lines += [
        "",
        f"It is **{report.state}**{why}. Of {total.channels:,} channels {total.there:,} are there, {total.back:,} "
        f"went back, {total.waiting + total.moving:,} wait or move, {total.skipped:,} were skipped, "
        f"{total.failed:,} failed.",
    ]
    if report.unshown:
        lines += [
            "",
            f"**Lost, at most: {report.unshown:,} lines** of logs given up by force that nobody is known to have seen.",
        ]
    return "\n".join(lines) + "\n"


def _waves(report: Report) -> str:
    rows = [
        [
            part.name,
            f"{part.channels:,}",
            f"{part.there:,}",
            f"{part.back:,}",
            f"{part.waiting + part.moving:,}",
            f"{part.skipped:,}",
            f"{part.failed:,}",
            _time(part.first),
            _time(part.last),
        ]
        for part in _parts(report)
    ]
    head = ["wave", "channels", "there", "back", "open", "skipped", "failed", "first move", "last move"]
    return _table("Waves", head, rows)


def _times(report: Report) -> str:
    rows = []
    for part in _parts(report):
        for kind, spread in (("hot", part.hot), ("cold", part.cold)):
            if spread.count:
                rows.append([part.name, kind, f"{spread.count:,}", *_spread(spread)])
    return _table("How long the moves took", ["wave", "kind", "moves", "p50", "p99", "longest"], rows)


def _followed(report: Report) -> str:
    rows = [
        [part.name, f"{part.before:,}", f"{part.followed:,}", f"{part.followed / part.before:.1%}"]
        for part in _parts(report)
        if part.before
    ]
    text = _table("Who followed", ["wave", "members before", "followed", "share"], rows)
    accounts = [[straggler.login, f"{straggler.channels:,}"] for straggler in report.stragglers]
    never = _table("Accounts that never did", ["account", "channels"], accounts, report.stragglers_unlisted)
    if report.stayed_unnamed:
        never += f"\n{report.stayed_unnamed:,} members more had not followed; their logins were not kept.\n"
    return "\n".join(part for part in (text, never) if part)


def _moves(report: Report) -> str:
    rows = [
        [
            _time(moved.time),
            f"#{moved.channel}",
            moved.wave,
            f"{moved.source} → {moved.target}",
            _seconds(moved.seconds),
            "cold" if moved.cold else "hot",
            f"forced, {moved.unshown:,} lines unshown" if moved.unshown else "forced" if moved.forced else "",
        ]
        for moved in report.moves
    ]
    head = ["time", "channel", "wave", "way", "took", "kind", ""]
    return _table("What moved when", head, rows, report.moves_unlisted)


def _gates(report: Report) -> str:
    rows = [
        [
            _time(line.time),
            line.wave,
            line.gate,
            line.verdict,
            "" if line.value is None else f"{line.value:g}",
            line.detail,
        ]
        for line in report.gates
    ]
    lines = _table("Gates over time", ["time", "wave", "gate", "verdict", "value", "detail"], rows)
    sums = [
        [
            gate.wave,
            gate.gate,
            f"{gate.passed:,}",
            f"{gate.failed:,}",
            f"{gate.inconclusive:,}",
            "" if gate.least is None else f"{gate.least:g}",
            "" if gate.most is None else f"{gate.most:g}",
        ]
        for gate in report.gate_sums
    ]
    head = ["wave", "gate", "pass", "fail", "inconclusive", "lowest", "highest"]
    return "\n".join(part for part in (lines, _table("Samples", head, sums)) if part)


def _issues(report: Report) -> str:
    rows = []
    for issue in report.issues:
        end = f"{_time(issue.resolved)} by {issue.resolved_by}: {issue.resolution}" if issue.resolved else "open"
        wave = report.waves[issue.wave].name if issue.wave < len(report.waves) else ""
        rows.append([_time(issue.time), wave, issue.text, issue.by, end])
    return _table("Issues", ["found", "wave", "what", "by", "resolved"], rows)


def _failures(report: Report) -> str:
    rows = [[f"#{failure.channel}", failure.wave, failure.what, failure.error] for failure in report.failures]
    failures = _table("What went wrong", ["channel", "wave", "what", "why"], rows, report.failures_unlisted)
    cancelled = [[why, f"{count:,}"] for why, count in report.cancelled.items()]
    return "\n".join(part for part in (failures, _table("Cancelled moves", ["why", "moves"], cancelled)) if part)


def _history(report: Report) -> str:
    rows = [[_time(turn.time), turn.state, turn.by, turn.why] for turn in report.history]
    return _table("History", ["time", "state", "by", "why"], rows)


def _parts(report: Report) -> Sequence[Part]:
    return report.waves if len(report.waves) == 1 else (*report.waves, report.total)


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]], unlisted: int = 0) -> str:
    """A heading with a table; nothing where there is no row."""
    if not rows:
        return ""
    lines = [f"## {title}", "", _row(head), _row(["---"] * len(head)), *(_row(row) for row in rows[:SHOWN])]
    more = len(rows) - len(rows[:SHOWN]) + unlisted
    if more:
        lines += ["", f"{more:,} more are not shown."]
    return "\n".join(lines) + "\n"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(_text(cell) for cell in cells)} |"


def _text(text: str) -> str:
    """What somebody wrote, as one cell of a table that Markdown takes for text."""
    for mark, instead in (("\\", "\\\\"), ("|", "\\|"), ("<", "&lt;"), ("`", "\\`"), ("*", "\\*"), ("[", "\\[")):
        text = text.replace(mark, instead)
    return " ".join(text.split())


def _time(time: float) -> str:
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M:%S}" if time else ""


def _seconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s" if seconds < 60 else spell(seconds)


def _spread(spread: Spread) -> list[str]:
    return [_seconds(spread.p50), _seconds(spread.p99), _seconds(spread.longest)]
