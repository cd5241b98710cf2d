"""What was found, as people read it."""

from __future__ import annotations

from bench.versus import Row


def figure(value: float) -> str:
    """A number with as many digits as mean something."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def verdict(row: Row) -> str:
    """Whether everything was delivered once and in order, and what else is to be known."""
    return ("exact" if row.exact else "NOT EXACT") + (f", {row.note}" if row.note else "")
