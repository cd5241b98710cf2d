"""What is known of one channel, shown and changed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from godwit.cli.api import Api
from godwit.cli.times import clock
from godwit.errors import InvalidRequest
from godwit.web.names import shown


def given(**options: Any) -> dict[str, Any]:
    """What the options say, as facts.

    Raises:
        InvalidRequest: the time of the next stream is none.
    """
    found = {name: value for name, value in options.items() if value is not None}
    for name in ("tier", "opt"):
        if name in found:
            found[name] = "" if found[name] == "none" else str(found[name])
    if "starts_at" in found:
        found["starts_at"] = seconds_of(found["starts_at"])
    return found


def change(server: Api, channel: str, facts: dict[str, Any], by: str) -> dict[str, Any]:
    """Change what `facts` names and leave the rest; returns what is known then."""
    found: dict[str, Any]
    if facts:
        found = server.put("channels", channel, "facts", body={**facts, "by": by})
    else:
        found = server.get("channels", channel, "facts")
    return found


def told(facts: dict[str, Any]) -> str:
    """What is known, in one line."""
    starts = f", next stream {clock(facts['starts_at'])}" if facts["starts_at"] else ""
    return (
        f"#{facts['channel']}: tier {facts['tier'] or 'none'}, opt {facts['opt'] or 'none'}, "
        f"{facts['members']:,} members, {facts['rate']:g} messages/s{starts}"
    )


def seconds_of(text: str) -> float:
    """Seconds since the Unix epoch; a time without a zone is in UTC, `0` or `none` takes it back."""
    if text in ("0", "none"):
        return 0.0
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidRequest(f"{shown(text)} is no time: write it like 2030-01-31T18:00Z") from None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
