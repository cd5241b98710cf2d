"""A rollout's file: read with every fault named by its line, and written again (`docs/rollouts.md`, "The file").

What the keys take is data, in `rollout/keys.py`; this file knows what must hold between them.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from typing import Any, cast

import msgspec

from godwit.errors import InvalidRequest
from godwit.rollout.gates import BOUNDS, COUNTED, FOLLOWED, KINDS, ROUND_TRIP
from godwit.rollout.keys import TABLES, UNITS, WAVE, Key, channel, meant
from godwit.rollout.lines import Lines, Path
from godwit.rollout.values import Budget, Definition, Gate, GateKind, Wave

CONDITIONS = ("channels", "file", "tiers", "opt_in", "percent", "min_members", "max_members", "match")
"""Keys of a wave that choose channels."""

MOST_WAVES = 100
MOST_GATES = 50
MOST_FAULTS = 100
"""Faults that are told of one file."""


def parse(
    text: str,
    filename: str = "rollout.toml",
    *,
    read: Callable[[str], str] | None = None,
    clusters: Collection[str] = (),
    metrics: Collection[str] = (),
) -> Definition:
    """Read a rollout's file.

    Args:
        text: TOML.
        filename: how faults name it.
        read: gives the text of a wave's `file`; without it no file can be named.
        clusters: the clusters there are, if known.
        metrics: the names of the built-in metrics, if known, those of one cluster (`gaps@aws`) too.

    Raises:
        InvalidRequest: it is no good. The message has a line for each fault, with file, line and what was expected.
    """
    text = text.removeprefix("\ufeff")
    try:
        text.encode()
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidRequest(_syntax(str(error), text, filename)) from None
    except ValueError as error:
        raise InvalidRequest(f"{filename}:1: this cannot be read: {error}") from None
    except RecursionError:
        raise InvalidRequest(f"{filename}:1: it is nested too deeply to be a rollout") from None
    reading = _Reading(filename, text, read, clusters, metrics)
    definition = reading.definition(data)
    if reading.faults:
        raise InvalidRequest(reading.told())
    return definition


def _syntax(message: str, text: str, filename: str) -> str:
    """A fault of the TOML parser, as one of ours."""
    said, _, place = message.rpartition(" (at ")
    words = place.rstrip(")").replace(",", "").split()
    line = int(words[1]) if words[:1] == ["line"] else text.count("\n", 0, len(text.rstrip())) + 1
    column = f", column {words[3]}" if len(words) == 4 else ""
    return f"{filename}:{line}: this is not TOML{column}: {said[:1].lower()}{said[1:]}"


def _shown(value: Any) -> str:
    """A value of the file in a message."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 50 else f"{text[:47]}..."


class _Reading:
    """One look through a file; collects every fault that it meets."""

    def __init__(
        self,
        filename: str,
        text: str,
        read: Callable[[str], str] | None,
        clusters: Collection[str],
        metrics: Collection[str],
    ) -> None:
        self.faults: list[tuple[int, str]] = []
        self._filename = filename
        self._text = text
        self._read = read
        self._clusters = clusters
        self._metrics = metrics

    @cached_property
    def _lines(self) -> Lines:
        """Where things stand; found out only when there is a fault, since it takes as long as reading."""
        return Lines(self._text)

    def told(self) -> str:
        """The faults, first lines first."""
        faults = [fault for _, fault in sorted(self.faults, key=lambda fault: fault[0])]
        more = len(faults) - MOST_FAULTS
        return "\n".join([*faults[:MOST_FAULTS], *([f"{self._filename}: {more} more faults"] if more > 0 else [])])

    def fault(self, path: Path, where: str, what: str) -> None:
        line = self._lines.of(path)
        place = f"{where}: " if where else ""
        self.faults.append((line, f"{self._filename}:{line}: {place}{what}"))

    # tables -----------------------------------------------------------------------------------

    def definition(self, data: dict[str, Any]) -> Definition:
        found = self._table((), "", "", data, also=("budget", "wave"))
        budget = data.get("budget", {})
        if not isinstance(budget, dict):
            self.fault(("budget",), "", "budget must be a table: [budget]")
            budget = {}
        waves = self._several((), "", data, "wave", MOST_WAVES)
        if not waves and not self.faults:
            self.fault((), "", "at least one wave is needed: [[wave]]")
        definition = Definition(
            name=found.pop("name", ""),
            to=found.pop("to", ""),
            waves=tuple(self._wave(index, wave, len(waves)) for index, wave in enumerate(waves)),
            budget=Budget(**self._table(("budget",), "budget", "budget", budget)),
            **found,
        )
        self._check_clusters(definition)
        self._check_names(("wave",), "", "wave", definition.waves)
        return definition

    def _table(
        self, path: Path, where: str, table: str, data: Mapping[str, Any], *, also: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Read the plain keys of a table; returns the fields that are good."""
        rows = TABLES[table][1]
        fields = {}
        for key, value in data.items():
            if key in also:
                continue
            row = rows.get(key)
            if row is None:
                self.fault((*path, key), where, f"unknown key '{key}': {meant(key, [*rows, *also])}")
                continue
            read = self._list if row.many else self._value
            good = read((*path, key), where, key, row, value)
            if good is not None:
                fields[row.field or key] = good
        for key, row in rows.items():
            if row.needed and key not in data:
                self.fault(path, where, f"{key} is missing: {row.help}")
        return fields

    def _value(self, path: Path, where: str, key: str, row: Key, value: Any) -> Any:
        try:
            return row.read(value)
        except InvalidRequest as refused:
            self.fault(path, where, f"{key} {refused}, not {_shown(value)}")
            return None

    def _list(self, path: Path, where: str, key: str, row: Key, value: Any) -> tuple[Any, ...] | None:
        if not isinstance(value, list) or not value:
            self.fault(path, where, f"{key} must be a {row.takes} with at least one in it, not {_shown(value)}")
            return None
        read = [self._value((*path, index), where, key, row, one) for index, one in enumerate(value)]
        return tuple(dict.fromkeys(one for one in read if one is not None))

    def _several(self, path: Path, where: str, data: Mapping[str, Any], key: str, most: int) -> list[dict[str, Any]]:
        """The tables of an array of tables."""
        tables = data.get(key, [])
        header = f"[[{'wave.' if path else ''}{key}]]"
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            self.fault((*path, key), where, f"{key} must be written as {header}")
            return []
        if len(tables) > most:
            self.fault((*path, key, most), where, f"at most {most} of {header} are allowed, not {len(tables)}")
        return cast(list[dict[str, Any]], tables)

    # what must hold between keys --------------------------------------------------------------

    def _check_clusters(self, definition: Definition) -> None:
        for key, names in (("to", (definition.to,)), ("from", definition.sources)):
            for name in names:
                if name and self._clusters and name not in self._clusters:
                    self.fault((key,), "", f"{key}: there is no cluster '{name}': {meant(name, self._clusters)}")
        if definition.to and definition.to in definition.sources:
            self.fault(("from",), "", f"from must not name '{definition.to}', where the channels go")
        if definition.evacuate and not definition.sources:
            self.fault(("evacuate",), "", "evacuate needs from: name the clusters that are given up")

    def _check_names(self, path: Path, where: str, what: str, named: Sequence[Wave | Gate]) -> None:
        seen: set[str] = set()
        for index, one in enumerate(named):
            if one.name and one.name in seen:
                self.fault((*path, index, "name"), where, f"there are two {what}s '{one.name}': choose another name")
            seen.add(one.name)

    def _wave(self, index: int, data: dict[str, Any], count: int) -> Wave:
        path: Path = ("wave", index)
        name = data.get("name")
        where = f"wave '{name}'" if isinstance(name, str) else f"wave {index + 1}"
        fields = self._table(path, where, "wave", data, also=("gate",))
        file = fields.pop("file", None)
        if file is not None:
            fields["channels"] = (*fields.get("channels", ()), *self._file((*path, "file"), where, file))
        chosen = [key for key in CONDITIONS if data.get(key, False) is not False]
        if fields.get("rest"):
            if chosen:
                self.fault((*path, "rest"), where, f"rest takes all that is left: leave out {', '.join(chosen)}")
            if index < count - 1:
                self.fault((*path, "rest"), where, "rest must be in the last wave")
        elif not chosen:
            self.fault(path, where, f"it chooses no channels: give {', '.join(CONDITIONS)} or rest = true")
        least, most = fields.get("min_members"), fields.get("max_members")
        if least is not None and most is not None and least > most:
            self.fault((*path, "min_members"), where, f"min_members must be at most max_members, {most}, not {least}")
        tables = self._several(path, where, data, "gate", MOST_GATES)
        gates = [self._gate((*path, "gate", number), where, table) for number, table in enumerate(tables)]
        self._check_names((*path, "gate"), where, "gate", gates)
        return Wave(
            name=fields.pop("name", ""),
            channels=tuple(dict.fromkeys(fields.pop("channels", ()))),
            gates=_named(gates),
            **fields,
        )

    def _file(self, path: Path, where: str, file: str) -> list[str]:
        """The channels of a wave's file."""
        if self._read is None:
            self.fault(path, where, "file can only be read where it lies: give it to `godwit rollout`, or use channels")
            return []
        try:
            text = self._read(file)
        except (OSError, ValueError, InvalidRequest) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            self.fault(path, where, f"file '{file}' cannot be read: {reason}")
            return []
        channels = []
        for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
            word = line.strip()
            if not word or word == "#" or word.startswith(("# ", "#\t")):
                continue
            try:
                channels.append(channel(word))
            except InvalidRequest as refused:
                fault = f"{file}:{number}: {where}: channels {refused}, not {_shown(word)}"
                self.faults.append((self._lines.of(path), fault))
        if not channels:
            self.fault(path, where, f"file '{file}' names no channel")
        return channels

    def _gate(self, path: Path, within: str, data: dict[str, Any]) -> Gate:
        name = data.get("name", data.get("kind"))
        where = f"{within}, gate '{name}'" if isinstance(name, str) else f"{within}, gate {cast(int, path[-1]) + 1}"
        fields = self._table(path, where, "gate", data)
        if "kind" not in fields:
            return Gate("issues", fields.get("name", ""), "before")
        kind: GateKind = fields["kind"]
        row = KINDS[kind]
        takes = ("kind", "name", "when", *(("value",) if row.value else ()), *row.keys)
        for key in fields.keys() - set(takes):
            self.fault((*path, key), where, f"a gate of kind {kind} takes no {key}: it takes {', '.join(takes)}")
        if fields.get("when", row.when) not in row.times:
            self.fault((*path, "when"), where, f"when must be {' or '.join(row.times)} for a gate of kind {kind}")
        elif fields.get("value") == FOLLOWED and fields.get("when", "after") != "after":
            self.fault((*path, "when"), where, f"when must be after: nobody has {FOLLOWED} before channels have moved")
        if kind == "soak" and "seconds" not in data:
            self.fault(path, where, 'seconds is missing: how long to wait, such as "30m"')
        if row.value:
            self._check_value(path, where, kind, fields.get("value"), given="value" in data)
        gate = msgspec.structs.replace(_standard(kind, fields.get("value", "")), **fields)
        if "fails" not in fields:
            gate = msgspec.structs.replace(gate, fails=min(gate.fails, gate.samples))
        self._check_numbers(path, where, gate, bad=any(key in data and key not in fields for key in BOUNDS))
        return gate

    def _check_value(self, path: Path, where: str, kind: GateKind, value: str | None, *, given: bool) -> None:
        row = KINDS[kind]
        known = self._metrics if kind == "metric" else row.values
        if not given:
            choice = f": one of {', '.join(known)}" if known else ""
            self.fault(path, where, f"value is missing: {row.value}{choice}")
        elif value is not None and known and value not in known:
            self.fault((*path, "value"), where, f"value '{value}' is not known: {meant(value, known)}")
        elif value is not None and kind == "http" and not value.lower().startswith(("http://", "https://")):
            self.fault(
                (*path, "value"), where, f"value must be a URL that begins with http:// or https://, not {value}"
            )

    def _check_numbers(self, path: Path, where: str, gate: Gate, *, bad: bool) -> None:
        row = KINDS[gate.kind]
        unbound = gate.at_most is None and gate.at_least is None
        if row.bound and unbound and not bad and gate.value != ROUND_TRIP:
            self.fault(path, where, "a bound is missing: give at_most or at_least")
        if gate.at_most is not None and gate.at_least is not None and gate.at_least > gate.at_most:
            self.fault((*path, "at_least"), where, f"at_least must not be above at_most, {gate.at_most:g}")
        if gate.critical is not None and gate.at_most is not None and gate.critical < gate.at_most:
            self.fault((*path, "critical"), where, f"critical must not be below at_most, {gate.at_most:g}")
        if gate.fails > gate.samples:
            self.fault((*path, "fails"), where, f"fails must be at most samples, {gate.samples}, not {gate.fails}")


def _standard(kind: GateKind, value: str = "") -> Gate:
    """A gate as it is where the file says nothing but its kind and value."""
    row = KINDS[kind]
    gate = Gate(kind, "", row.when, value=value, samples=row.samples, fails=row.fails, seconds=row.seconds)
    if kind == "probe" and value in COUNTED:
        return msgspec.structs.replace(gate, at_most=0.0)
    if kind == "metric" and value == FOLLOWED:
        return msgspec.structs.replace(gate, when="after")
    if kind == "probe" and value == ROUND_TRIP:
        return msgspec.structs.replace(gate, when="before", samples=1, fails=1)
    return gate


def _named(gates: Sequence[Gate]) -> tuple[Gate, ...]:
    """Give each gate without a name that of its kind, numbered where that is taken."""
    taken = {gate.name for gate in gates}
    named = []
    for gate in gates:
        name, number = gate.name or gate.kind, 1
        while not gate.name and name in taken:
            number += 1
            name = f"{gate.kind}-{number}"
        taken.add(name)
        named.append(msgspec.structs.replace(gate, name=name))
    return tuple(named)


# writing ------------------------------------------------------------------------------------------


def dump(definition: Definition) -> str:
    """Write a definition as TOML; `parse` gives it back as it was.

    Keys stand in the order of the documentation; what is as it is without being said is left out, and files are
    replaced by their channels.
    """
    plain = Definition(definition.name, definition.to, ())
    text = _lines("", definition, plain)
    if definition.budget != Budget():
        text += ["", "[budget]", *_lines("budget", definition.budget, Budget())]
    for wave in definition.waves:
        text += ["", "[[wave]]", *_lines("wave", wave, Wave(""))]
        for gate in wave.gates:
            plain_gate = msgspec.structs.replace(_standard(gate.kind, gate.value), value="")
            text += ["", "[[wave.gate]]", *_lines("gate", gate, plain_gate)]
    return "\n".join(text) + "\n"


def _lines(table: str, value: msgspec.Struct, plain: msgspec.Struct) -> list[str]:
    text = []
    for key, row in TABLES[table][1].items():
        if row is WAVE["file"]:
            continue
        field = row.field or key
        here = getattr(value, field)
        if row.needed or here != getattr(plain, field):
            text.append(f"{key} = {duration(here) if row.seconds else _toml(here)}")
    return text


def _toml(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case tuple():
            parts = [_toml(one) for one in value]
            line = f"[{', '.join(parts)}]"
            return line if len(line) <= 100 else "[\n" + "".join(f"  {part},\n" for part in parts) + "]"
        case float() if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
    return str(value)


def duration(seconds: float) -> str:
    """A time as a rollout file has it: `"1h30m"`, or a plain number where it is no whole one."""
    if not seconds.is_integer() or not seconds:
        return _toml(seconds)
    left, text = int(seconds), ""
    for unit, letter in zip(UNITS, "dhms", strict=True):
        text += f"{left // unit}{letter}" if left >= unit else ""
        left %= unit
    return f'"{text}"'
