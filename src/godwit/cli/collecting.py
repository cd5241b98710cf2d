"""How often a server looks for garbage in cycles: seldom, and not among what it started with."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

THRESHOLDS = (10_000, 2, 270)
"""A look at the youngest objects for so many new ones, at older ones for so many of these, at all for so many of those.

Python's own (700, 10, 10) let the loop stand still for some tenths of a second every few seconds once there are 100,000
channels. These look at all objects for 8 million new ones: rooms that are given up are cycles, and must go some time.
Of the young and the older ones few are looked at in one go: with ten times as many it took 30 to 90 ms of each half
second in which thousands came in.
"""


@contextmanager
def seldom() -> Iterator[None]:
    """Collect garbage seldom from now on; what exists is left alone, for it stays as long as the process."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
