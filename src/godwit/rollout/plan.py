"""Which channel goes in which wave, and one reason for each that goes in none.

Pure. The plan's hash covers the definition and which channel goes in which wave from which cluster. Live state, holds
and the order within a wave are left out of it: they change by the minute and only decide when a channel goes, not
whether (but where a condition asks for `live` or for sizes, what they decide is covered).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

import msgspec

from godwit.errors import InvalidRequest
from godwit.rollout.select import fits
from godwit.rollout.values import Candidate, Definition, Facts, Item
from godwit.values import ROOM, is_login

HIDDEN = "godwit__"
"""Names that begin so are rooms of Godwit's own probes and rehearsals."""

NEVER = "group"
"""The cluster of group rooms: no channel leaves it."""

SOME = 5
"""Names that a summary shows of many."""


class Plan(msgspec.Struct, frozen=True):
    """What a rollout would do, as things are.

    Attributes:
        waves: for each wave of the definition its channels, those with the fewest members first.
        excluded: `(channel, reason)` of all others, by name.
        unknown: channels that the definition names and of which nothing is known, by name. Those that were among
            the candidates are planned nevertheless.
        hash: what `start` names: 16 hexadecimal digits.
        time: when it was made.
    """

    definition: Definition
    waves: tuple[tuple[Candidate, ...], ...]
    excluded: tuple[tuple[str, str], ...]
    unknown: tuple[str, ...]
    hash: str
    time: float


class Sorter:
    """Says of one channel after another which wave it goes in."""

    def __init__(self, definition: Definition) -> None:
        """Make the tests of a definition's waves.

        Raises:
            InvalidRequest: an evacuation that does not say of what.
        """
        if definition.evacuate and not definition.sources:
            raise InvalidRequest("an evacuation needs from: name the clusters that are given up")
        self._to = definition.to
        self._sources = frozenset(definition.sources)
        self._waves = [(wave.mandatory, fits(wave, definition.name)) for wave in definition.waves]

    def place(self, candidate: Candidate) -> int | str:
        """The index of the wave that takes a channel, or why none does."""
        channel, cluster = candidate.channel, candidate.cluster
        if ROOM.fullmatch(channel) or not is_login(channel):
            return "a group room"
        if channel.startswith(HIDDEN):
            return "a hidden room of Godwit's own"
        if cluster == self._to:
            return f"already on {cluster}"
        if cluster not in self._sources if self._sources else cluster == NEVER:
            return f"on {cluster}, which channels are not taken from"
        out = candidate.facts.opt == "out"
        refused = False
        for index, (mandatory, test) in enumerate(self._waves):
            if test(candidate):
                if mandatory or not out:
                    return index
                refused = True
        return "opted out, and no mandatory wave takes it" if refused else "no wave takes it"


def named(definition: Definition) -> list[str]:
    """The channels that a definition names, by name: planning should be given them even if nobody knows them."""
    return sorted({channel for wave in definition.waves for channel in wave.channels})


def make(definition: Definition, candidates: Iterable[Candidate], *, now: float) -> Plan:
    """Make the plan of a rollout.

    Args:
        candidates: every channel once; of one that comes again the later is taken.
        now: the time, in seconds; it is noted in the plan.

    Raises:
        InvalidRequest: an evacuation that does not say of what.
    """
    sorter = Sorter(definition)
    waves: list[list[Candidate]] = [[] for _ in definition.waves]
    excluded = []
    by_name = {candidate.channel: candidate for candidate in candidates}
    for channel, candidate in by_name.items():
        place = sorter.place(candidate)
        if isinstance(place, int):
            waves[place].append(candidate)
        else:
            excluded.append((channel, place))
    for wave in waves:
        wave.sort(key=lambda candidate: (candidate.facts.members, candidate.channel))
    return Plan(
        definition=definition,
        waves=tuple(map(tuple, waves)),
        excluded=tuple(sorted(excluded)),
        unknown=tuple(name for name in named(definition) if not _is_known(by_name.get(name))),
        hash=_hash(definition, waves),
        time=now,
    )


def _is_known(candidate: Candidate | None) -> bool:
    return candidate is not None and (
        not candidate.placement.default
        or candidate.live
        or candidate.live_since > 0
        or candidate.hold is not None
        or candidate.facts != Facts(candidate.channel)
    )


def _hash(definition: Definition, waves: Sequence[Sequence[Candidate]]) -> str:
    digest = sha256(msgspec.json.encode(definition))
    for index, wave in enumerate(waves):
        for line in sorted(f"{candidate.channel} {candidate.cluster}" for candidate in wave):
            digest.update(f"\n{index} {line}".encode())
    return digest.hexdigest()[:16]


def items(plan: Plan, rollout_id: str, now: float) -> tuple[Item, ...]:
    """The items of a rollout that is started by this plan, wave by wave."""
    return tuple(
        Item(rollout_id, candidate.channel, index, candidate.cluster, since=now)
        for index, wave in enumerate(plan.waves)
        for candidate in wave
    )


def differences(old_items: Iterable[Item], plan: Plan) -> list[str]:
    """Say what a plan does otherwise than an older one, a line for each kind of difference.

    Args:
        old_items: what `items` made of the older plan.
        plan: the newer plan.
    """
    names = [wave.name for wave in plan.definition.waves]
    left = {candidate.channel: (index, candidate) for index, wave in enumerate(plan.waves) for candidate in wave}
    changes: dict[str, list[str]] = {}
    gone = []
    for item in old_items:
        if item.channel not in left:
            gone.append(item.channel)
            continue
        index, candidate = left.pop(item.channel)
        if index != item.wave:
            before = f"'{names[item.wave]}'" if item.wave < len(names) else f"number {item.wave + 1}"
            changes.setdefault(f"in wave '{names[index]}', no longer in {before}", []).append(item.channel)
        elif candidate.cluster != item.origin:
            changes.setdefault(f"now on {candidate.cluster}, no longer on {item.origin}", []).append(item.channel)
    reasons = dict(plan.excluded) if gone else {}
    for channel in gone:
        reason = reasons.get(channel, "nothing is known of it any more")
        changes.setdefault(f"no longer planned: {reason}", []).append(channel)
    for channel, (index, _) in left.items():
        changes.setdefault(f"new, in wave '{names[index]}'", []).append(channel)
    return [f"{_some(channels)}: {what}" for what, channels in sorted(changes.items())]


def _some(channels: Sequence[str]) -> str:
    first = ", ".join(f"#{channel}" for channel in sorted(channels)[:SOME])
    return first if len(channels) <= SOME else f"{len(channels)} channels ({first}, ...)"
