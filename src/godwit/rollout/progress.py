"""Where a rollout stands and what may happen next: pure decisions of the controller.

`obstacle` is the one place that says whether a channel may move now, and why not; admission, status and explain
all ask it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from godwit.rollout.values import (
    ENDED,
    Candidate,
    Definition,
    Goal,
    Item,
    Rollout,
    RolloutState,
    Tally,
    Wave,
    WaveProgress,
    WaveState,
)
from godwit.rollout.verbs import ARROWS
from godwit.values import Move, Placement

QUIET = 600.0
"""Seconds without a message after which a channel counts as cold, if nobody there is to be told."""

MOST_FAILS = 20
"""Moves of one channel towards one goal that may be cancelled or fail before it is given up."""

LONGEST_PAUSE = 300.0
"""Seconds between two moves of a channel towards one goal, at most; they double from two seconds on."""

NOTICE_KEEPS = 300.0
"""Seconds for which a notice counts beyond its time: a channel that moves later is announced again."""


def wave_of(rollout: Rollout) -> Wave:
    """The wave whose turn it is."""
    return rollout.definition.waves[rollout.wave]


def destination(item: Item, definition: Definition) -> str:
    """The cluster that an item is to go to."""
    return definition.to if item.goal == "there" else item.origin


def goals(rollout: Rollout) -> tuple[Goal, ...]:
    """The goals that are worked for in the rollout's state."""
    if rollout.state == "running":
        return ("there", "back")
    return ("back",) if rollout.state == "reversing" else ()


def begun(rollout: Rollout) -> int:
    """Index of the last wave whose channels may move now, -1 for none."""
    if rollout.state == "reversing":
        return len(rollout.waves) - 1
    if rollout.waves[rollout.wave].state in ("moving", "soaking", "done"):
        return rollout.wave
    return rollout.wave - 1


def obstacle(rollout: Rollout, item: Item, candidate: Candidate, *, now: float) -> str:
    """Why a channel does not move now, in one line; '' if it may (its turn within the budget apart).

    The first reason that holds is given: the rollout's state, the item's, a hold, the stream.
    """
    definition = rollout.definition
    if item.state in ("skipped", "failed"):
        return f"{item.state}: {item.error}" if item.error else item.state
    if item.state == "done":
        return "done"
    if item.state == "moving":
        return f"move {item.move} is under way"
    if item.goal not in goals(rollout):
        why = f": {rollout.why}" if rollout.why else ""
        return f"the rollout is {rollout.state}{why}"
    if item.wave > begun(rollout):
        if item.wave > rollout.wave:
            return f"its wave '{definition.waves[item.wave].name}' has not begun"
        return f"the gates of its wave '{definition.waves[item.wave].name}' have not passed"
    if candidate.hold is not None:
        return f"held by {candidate.hold.by}: {candidate.hold.reason}"
    if candidate.facts.opt == "out" and item.wave not in mandatory(rollout) and item.goal == "there":
        return "it has opted out, and its wave is not mandatory"
    if (pause := item.since + pause_after(item.fails) - now) > 0:
        return f"its last move was not done ({item.error}), it is tried again in {pause:.0f} s"
    if item.force or definition.evacuate:
        return ""
    if candidate.live:
        return "live: it waits for its stream to end"
    quiet = now - candidate.live_since
    if candidate.live_since and quiet < definition.offline_for:
        return f"its stream ended {quiet:.0f} s ago, it waits for {definition.offline_for:g} s"
    if now <= candidate.facts.starts_at < now + definition.starts_within:
        return f"its stream is planned to start in {candidate.facts.starts_at - now:.0f} s"
    return ""


def pause_after(fails: int) -> float:
    """Seconds that a channel waits after so many moves that were not done."""
    return min(2.0**fails, LONGEST_PAUSE) if fails else 0.0


def mandatory(rollout: Rollout) -> list[int]:
    """The waves that take those who opted out too."""
    return [place for place, wave in enumerate(rollout.definition.waves) if wave.mandatory]


def sources(definition: Definition, clusters: Iterable[str]) -> list[str]:
    """The clusters that channels are taken from; `clusters` are those for channels."""
    return list(definition.sources) or [cluster for cluster in clusters if cluster != definition.to]


def notice_due(definition: Definition, item: Item, *, now: float) -> float | None:
    """When an item may move that is to be announced in chat first; None if it has not been announced."""
    if not definition.notice or item.cold:
        return now
    due = item.noticed + definition.notice_before
    return due if item.noticed and now < due + NOTICE_KEEPS else None


def move_of(rollout: Rollout, item: Item, candidate: Candidate, *, cold: bool, now: float) -> Move:
    """The move that is begun for an item; the same id for the same try, whoever begins it."""
    definition = rollout.definition
    wave = definition.waves[item.wave].name
    return Move(
        id=f"{rollout.id}.{item.channel}.{item.tries + 1}",
        channel=item.channel,
        target=destination(item, definition),
        state="wished",
        forced=item.force or definition.evacuate,
        evacuate=definition.evacuate and item.goal == "there",
        by=rollout.by,
        reason=rollout.reason or f"rollout {definition.name}, wave {wave}",
        history=(("wished", now),),
        rollout=rollout.id,
        cold=cold,
    )


def arrive(rollout: Rollout, item: Item, move: Move, placement: Placement, *, now: float) -> Item:
    """What becomes of an item whose move is draining or over."""
    there = placement.segment.cluster == destination(item, rollout.definition)
    if there:
        return msgspec.structs.replace(item, state="done", error="", fails=0, force=False, since=now)
    if move.target != destination(item, rollout.definition):  # it got another goal meanwhile
        return msgspec.structs.replace(item, state="waiting", error="", noticed=0.0, since=now)
    error, fails = move.error or "it was brought elsewhere since", item.fails + 1
    if fails >= MOST_FAILS:
        gave_up = f"given up after {fails} tries: {error}"
        return msgspec.structs.replace(item, state="failed", error=gave_up, fails=0, since=now)
    return msgspec.structs.replace(item, state="waiting", error=error, fails=fails, noticed=0.0, since=now)


def turn(rollout: Rollout, state: RolloutState, *, by: str, why: str, now: float) -> Rollout:
    """A rollout in another state.

    Raises:
        ValueError: the table has no such arrow: a bug of ours.
    """
    if state not in ARROWS[rollout.state]:
        raise ValueError(f"a rollout that is {rollout.state} cannot become {state}")
    return msgspec.structs.replace(rollout, state=state, why=why, history=(*rollout.history, (state, now, by, why)))


def was_reversing(rollout: Rollout) -> bool:
    """Say whether a paused rollout was reversing before."""
    before = [state for state, *_ in rollout.history if state != "paused"]
    return before[-1:] == ["reversing"]


def set_wave(rollout: Rollout, state: WaveState, *, now: float) -> Rollout:
    """The rollout with the state of the wave whose turn it is changed."""
    waves = list(rollout.waves)
    waves[rollout.wave] = msgspec.structs.replace(waves[rollout.wave], state=state, since=now)
    return msgspec.structs.replace(rollout, waves=tuple(waves))


def rewind(rollout: Rollout, *, now: float) -> Rollout:
    """The rollout with all waves before it again; what was approved counts no more."""
    waves = tuple(WaveProgress("pending", now) for _ in rollout.waves)
    return msgspec.structs.replace(rollout, wave=0, waves=waves, default_before=None, default_back=False)


def after_reverse(rollout: Rollout, tallies: Iterable[Tally]) -> RolloutState | None:
    """What a rollout becomes that was reversing; None as long as something is to be brought back.

    One that had been aborted is aborted again, unless all is back.
    """
    counts: dict[tuple[str, str], int] = {}
    for tally in tallies:
        counts[tally.goal, tally.state] = counts.get((tally.goal, tally.state), 0) + tally.count
    if any(state in ("waiting", "moving") for goal, state in counts if goal == "back"):
        return None
    if any(state == "moving" for goal, state in counts if goal == "there"):
        return None
    if ("there", "waiting") in counts:
        before = [state for state, *_ in rollout.history if state not in ("reversing", "paused")]
        return "aborted" if before[-1:] == ["aborted"] else "paused"
    return "finished" if ("there", "done") in counts else "reversed"


def counts(tallies: Sequence[Tally], wave: int) -> dict[str, int]:
    """How many items of a wave are in which state, those of both goals together."""
    found: dict[str, int] = {}
    for tally in tallies:
        if tally.wave == wave:
            found[tally.state] = found.get(tally.state, 0) + tally.count
    return found


def is_over(rollout: Rollout) -> bool:
    """Say whether the rollout does nothing by itself any more."""
    return rollout.state in ENDED
