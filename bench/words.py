"""The comparisons of the bench, by the words that ask for them."""

from __future__ import annotations

from collections.abc import Callable

from bench import growth, moving, scale
from bench.versus import COMPARISONS, Options, Row

Measure = Callable[[Options], list[Row]]

_OTHERS: dict[str, Measure] = {"d": scale.memory, "e": scale.connects, "move": moving.move, "growth": growth.growth}

WORDS: dict[str, tuple[str, Measure]] = {
    **{name: (comparison.title, comparison.run) for name, comparison in COMPARISONS.items()},
    **{name: ((measure.__doc__ or "").splitlines()[0], measure) for name, measure in _OTHERS.items()},
}
"""Title and what to call, in the order in which they run."""
