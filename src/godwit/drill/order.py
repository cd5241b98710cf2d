"""One order out of what many readers saw.

If all readers agree, there is an order of all messages in which each reader's lines only ever go
forward. This module finds it; where they disagree, the majority decides.
"""

from __future__ import annotations

import itertools
from collections import defaultdict, deque
from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)


def ranks(orders: Iterable[Sequence[Key]]) -> dict[Key, int]:
    """Rank every message so that as many readers as possible saw ranks grow.

    Args:
        orders: per reader what it saw, in order, each message once.

    Returns:
        The rank of each message. If one order fits all readers, each saw strictly growing ranks.
    """
    votes: dict[Key, dict[Key, int]] = defaultdict(dict)
    waiting_for: dict[Key, int] = {}
    for order in orders:
        for key in order:
            waiting_for.setdefault(key, 0)
        for earlier, later in itertools.pairwise(order):
            votes[earlier][later] = votes[earlier].get(later, 0) + 1
            waiting_for[later] += 1
    ready = deque(key for key, weight in waiting_for.items() if weight == 0)
    ranked: dict[Key, int] = {}
    while waiting_for:
        # With nothing ready the readers contradict each other: go against the fewest votes.
        key = ready.popleft() if ready else min(waiting_for, key=waiting_for.__getitem__)
        del waiting_for[key]
        ranked[key] = len(ranked)
        for later, weight in votes[key].items():
            if later in waiting_for:
                waiting_for[later] -= weight
                if waiting_for[later] == 0:
                    ready.append(later)
    return ranked


def late(order: Sequence[Key], ranked: dict[Key, int]) -> list[Key]:
    """The messages in `order` that came after one that belongs behind them."""
    found: list[Key] = []
    highest = -1
    for key in order:
        rank = ranked[key]
        if rank < highest:
            found.append(key)
        else:
            highest = rank
    return found
