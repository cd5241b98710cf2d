"""The keys of a rollout file as data: what each takes and means. `docs/rollouts.md` shows these tables.

A reader takes what stands in the file and returns what is kept, or refuses it by an `InvalidRequest` that says what
was expected, worded to follow the key's name: "must be between 0 and 100".
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from typing import Any, get_args

import msgspec

from godwit.errors import InvalidRequest
from godwit.rollout.gates import KINDS
from godwit.rollout.select import matcher
from godwit.rollout.values import Budget, Definition, Gate, GateTime, OnFailure, Tier, Wave
from godwit.values import is_login

Reader = Callable[[Any], Any]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")
UNITS = (86400, 3600, 60, 1)
YEAR = 366 * 86400.0
LONGEST_NOTICE = 400


class Key(msgspec.Struct, frozen=True):
    """One key of a table.

    Attributes:
        read: reads its value, or one of its values if there are `many`.
        help: what it says, in one line for people.
        takes: what kind of value it is, for people.
        field: the field of the value that it is kept in, if that has another name.
        needed: a table without it is refused.
        many: its value is a list.
        seconds: it is a time, which may be written as "10m".
    """

    read: Reader
    help: str
    takes: str
    field: str = ""
    needed: bool = False
    many: bool = False
    seconds: bool = False


def meant(word: str, known: Iterable[str]) -> str:
    """A hint for a word that is not known: `did you mean`, or all that are."""
    known = list(known)
    near = difflib.get_close_matches(word.lower(), known, 1)
    return f"did you mean '{near[0]}'?" if near else f"known are {', '.join(known)}"


def _text(longest: int = 500) -> Reader:
    def read(value: Any) -> str:
        if not isinstance(value, str):
            raise InvalidRequest("must be a text")
        if len(value) > longest or not value.isprintable():
            raise InvalidRequest(f"must be one line of at most {longest} characters")
        return value

    return read


def _given(value: Any) -> str:
    text: str = _text(2000)(value)
    if not text.strip():
        raise InvalidRequest("must not be empty")
    return text


def _name(value: Any) -> str:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise InvalidRequest("must be 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-', beginning with a letter or digit")
    return value


def _rollout(value: Any) -> str:
    name = _name(value)
    if name == "latest":
        raise InvalidRequest("must be another name: this one always means the newest rollout")
    return name


def _home(value: Any) -> str:
    name = _name(value)
    if name == "group":
        raise InvalidRequest("must be a cluster for channels, which group is not")
    return name


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise InvalidRequest("must be true or false")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -1e18 < value < 1e18


def _whole(low: int, high: int) -> Reader:
    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise InvalidRequest(f"must be a whole number between {low} and {high}")
        return value

    return read


def _number(value: Any) -> float:
    if not _is_number(value):
        raise InvalidRequest("must be a number")
    return float(value)


def _between(low: float, high: float) -> Reader:
    def read(value: Any) -> float:
        if not _is_number(value) or not low <= value <= high:
            raise InvalidRequest(f"must be between {low:g} and {high:g}")
        return float(value)

    return read


def seconds(value: Any) -> float:
    """Read a time: a number of seconds, or a text such as "90s", "10m" or "1h30m".

    Raises:
        InvalidRequest: it is something else, negative, or longer than a year.
    """
    number: Any = value
    if isinstance(value, str):
        found = DURATION.fullmatch(value)
        if found and value:
            number = sum(float(part) * unit for part, unit in zip(found.groups(), UNITS, strict=True) if part)
    if not _is_number(number) or not 0 <= number <= YEAR:
        raise InvalidRequest('must be a time of at most a year: seconds, or a text such as "90s", "10m" or "1h30m"')
    return float(number)


def _some_seconds(value: Any) -> float:
    number = seconds(value)
    if number < 0.1:
        raise InvalidRequest("must be at least 0.1 seconds")
    return number


def _one_of(*known: str) -> Reader:
    def read(value: Any) -> str:
        if not isinstance(value, str):
            raise InvalidRequest(f"must be one of {', '.join(known)}")
        if value not in known:
            raise InvalidRequest(f"must be one of {', '.join(known)} ({meant(value, known)})")
        return value

    return read


def _tier(value: Any) -> str:
    known = get_args(Tier)
    if value not in known:
        raise InvalidRequest('must be among "staff", "partner", "affiliate" and "" (none of these)')
    return str(value)


def channel(value: Any) -> str:
    """Read a channel's name, with or without `#`, in any case.

    Raises:
        InvalidRequest: it cannot be one.
    """
    name = value.removeprefix("#").lower() if isinstance(value, str) else ""
    if not is_login(name):
        raise InvalidRequest("must be names of 1 to 25 of a-z, 0-9 and _")
    return name


def _match(value: Any) -> str:
    text = _given(value)
    try:
        matcher(text)
    except InvalidRequest as refused:
        raise InvalidRequest(f"must be a condition over facts: {refused}") from None
    return text.strip()


def _notice(value: Any) -> str:
    text: str = _text(LONGEST_NOTICE)(value)
    for word in re.findall(r"\{[^}]*\}?|\}", text):
        if word != "{cluster}":
            raise InvalidRequest(f"must have no braces but {{cluster}} (found {word})")
    return text


KINDS_OF_GATES = tuple(KINDS)

ROLLOUT: dict[str, Key] = {
    "name": Key(_rollout, "How people speak of the rollout.", "name", needed=True),
    "to": Key(_home, "The cluster that channels go to.", "cluster", needed=True),
    "from": Key(
        _home,
        "Clusters that channels are taken from. Without it: all others but `group`.",
        "list of clusters",
        field="sources",
        many=True,
    ),
    "reason": Key(_text(), "Why; it is kept with the rollout and shown.", "text"),
    "offline_for": Key(seconds, "How long a stream must have ended before its channel moves.", "time", seconds=True),
    "starts_within": Key(
        seconds,
        "A channel whose stream is planned to start within this time waits for it.",
        "time",
        seconds=True,
    ),
    "notice": Key(
        _notice,
        "Said in a channel with members before it moves; `{cluster}` stands for where it goes. Empty: nothing.",
        "text",
    ),
    "notice_before": Key(seconds, "Time between the notice and the move.", "time", seconds=True),
    "evacuate": Key(
        _flag,
        "The clusters of `from` are given up by force: live channels go too, and lines that nobody was shown may be "
        "lost. They are counted. Needs `from`.",
        "true or false",
    ),
}

BUDGET: dict[str, Key] = {
    "in_flight": Key(_whole(1, 100_000), "Hot moves that are begun and not yet committed, at most.", "whole number"),
    "cold_in_flight": Key(_whole(1, 1_000_000), "The same for cold moves.", "whole number"),
    "hot_per_second": Key(_between(0.001, 10_000), "Hot moves begun per second, at most.", "number"),
    "cold_per_second": Key(_between(0.001, 100_000), "Cold moves begun per second, at most.", "number"),
}

WAVE: dict[str, Key] = {
    "name": Key(_name, "How people speak of the wave.", "name", needed=True),
    "channels": Key(channel, "These channels.", "list of channels", many=True),
    "file": Key(
        _given,
        "These channels too: a text file beside this one, with one name a line. A line that begins with `# ` is a "
        "comment.",
        "file name",
    ),
    "tiers": Key(
        _tier,
        'Channels of these tiers: `"staff"`, `"partner"`, `"affiliate"`, `""` for none of them.',
        "list of tiers",
        many=True,
    ),
    "opt_in": Key(_flag, "Channels that asked to move early.", "true or false"),
    "percent": Key(
        _between(0, 100),
        "This share of what else fits, by a hash of the rollout's and the channel's name: whoever is among the first "
        "10 percent is among the first 20 too.",
        "number",
    ),
    "min_members": Key(_whole(0, 10**9), "Channels that have had at least so many members.", "whole number"),
    "max_members": Key(_whole(0, 10**9), "Channels that have had at most so many members.", "whole number"),
    "match": Key(_match, "Channels that a condition over facts fits, see below.", "condition"),
    "rest": Key(
        _flag,
        "Everything that is left, and what appears later; the default placement goes with it. Last wave only.",
        "true or false",
    ),
    "mandatory": Key(_flag, "Channels that opted out go too.", "true or false"),
    "on_failure": Key(
        _one_of(*get_args(OnFailure)),
        "What happens when a gate fails: `pause`, `reverse` (the wave goes back), or `continue`.",
        "word",
    ),
}

GATE: dict[str, Key] = {
    "kind": Key(_one_of(*KINDS_OF_GATES), "What is asked, see below.", "word", needed=True),
    "name": Key(_name, "How people speak of it. Without it: its kind, numbered.", "name"),
    "when": Key(
        _one_of(*get_args(GateTime)),
        "Asked `before` the wave begins, `during` its moves, or `after` them. Without it: as the kind has it.",
        "word",
    ),
    "value": Key(_given, "A metric's name, a query, an URL: as the kind has it.", "text"),
    "at_most": Key(_number, "A number above this fails.", "number"),
    "at_least": Key(_number, "A number below this fails.", "number"),
    "critical": Key(_number, "One number above this trips the gate at once.", "number"),
    "every": Key(_some_seconds, "Time between samples.", "time", seconds=True),
    "samples": Key(_whole(1, 1000), "The gate looks at so many of the last samples.", "whole number"),
    "fails": Key(_whole(1, 1000), "It trips when so many of them failed.", "whole number"),
    "seconds": Key(_some_seconds, "How long a soak or a rehearsal lasts.", "time", seconds=True),
    "factor": Key(_between(0.01, 100), "A rehearsal's load, in times of the channel's peak.", "number"),
    "timeout": Key(_some_seconds, "Time to wait for an answer.", "time", seconds=True),
}

TABLES: dict[str, tuple[type[msgspec.Struct], dict[str, Key]]] = {
    "": (Definition, ROLLOUT),
    "budget": (Budget, BUDGET),
    "wave": (Wave, WAVE),
    "gate": (Gate, GATE),
}
"""Table of the file -> the value that it becomes, and its keys."""
