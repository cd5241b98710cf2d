"""The operator of the rollout drill: plans, wishes, live states and what there is to see, over HTTP."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec

from godwit.drill.operator import ApiError, Operator

AT_ONCE = 10_000
"""Channels in one bulk look-up."""

_UNDER_WAY = ("wished", "opening", "opened", "sealing", "sealed")

T = TypeVar("T")


class PlanWave(msgspec.Struct, frozen=True):
    """A wave of a plan."""

    name: str
    count: int


class Plan(msgspec.Struct, frozen=True):
    """A plan as the API shows it."""

    hash: str
    count: int
    seconds: float
    waves: tuple[PlanWave, ...]


class GateSeen(msgspec.Struct, frozen=True):
    """A gate as the API shows it."""

    name: str
    kind: str
    verdict: str
    approved: bool


class WaveSeen(msgspec.Struct, frozen=True):
    """A wave as the API shows it."""

    name: str
    state: str
    counts: dict[str, int]
    done: int
    total: int
    gates: tuple[GateSeen, ...]

    @property
    def waits_for_approval(self) -> bool:
        """Whether nothing but somebody's yes may be missing."""
        return self.state == "checking" and any(gate.kind == "approval" and not gate.approved for gate in self.gates)


class TurnSeen(msgspec.Struct, frozen=True):
    """A change of state as the API shows it."""

    state: str
    by: str
    why: str


class Status(msgspec.Struct, frozen=True):
    """A rollout as the API shows it."""

    id: str
    state: str
    why: str
    version: str
    wave: int
    waves: tuple[WaveSeen, ...]
    done: int
    total: int
    rate: float
    history: tuple[TurnSeen, ...]

    @property
    def moving(self) -> int:
        """Channels under way."""
        return sum(wave.counts.get("moving", 0) for wave in self.waves)


class Home(msgspec.Struct, frozen=True):
    """Where a channel is."""

    cluster: str
    epoch: int


class Change(msgspec.Struct, frozen=True):
    """A line of the change feed."""

    kind: str
    time: float
    channel: str = ""
    cluster: str = ""
    epoch: int = 0


class Changes(msgspec.Struct, frozen=True):
    """An answer of the change feed."""

    next: int
    changes: tuple[Change, ...]
    reset: bool = False


class Found(msgspec.Struct, frozen=True):
    """What the doctor found."""

    what: str
    channel: str = ""


class Health(msgspec.Struct, frozen=True):
    """What the doctor says."""

    clean: bool
    findings: tuple[Found, ...] = ()


class _WishSeen(msgspec.Struct, frozen=True):
    id: str
    state: str
    answer: str


class _MoveSeen(msgspec.Struct, frozen=True):
    state: str


class _ChannelSeen(msgspec.Struct, frozen=True):
    epoch: int
    move: _MoveSeen | None = None


class _Bulk(msgspec.Struct, frozen=True):
    channels: dict[str, Home]


class RolloutOperator(Operator):
    """Asks for what the drill needs; raises `ApiError`, `MoveRefused` and `OSError` as `ask` does."""

    async def add_bot(self, login: str) -> None:
        """Add a verified bot."""
        await self.ask("POST", "/accounts", {"login": login, "bot": "verified", "by": "drill"})

    async def tell_facts(self, rows: str) -> None:
        """Say what is known of channels, as JSON lines."""
        told = msgspec.json.decode(await self.ask("POST", "/channels/import?by=drill", rows, "application/jsonl"))
        if told["refused_count"]:
            raise ApiError(f"facts were refused: {told['refused'][:3]}")

    async def plan(self, toml: str) -> Plan:
        """Make a plan."""
        return await self._get(Plan, "POST", "/rollouts/plan", {"toml": toml})

    async def wish(self, verb: str, **args: Any) -> str:
        """Have something done; returns the controller's answer once it has acted."""
        body = {"verb": verb, "args": args, "by": "drill", "reason": "the drill", "wait": 10}
        seen = await self._get(_WishSeen, "POST", "/wishes", body)
        if seen.state == "new":
            seen = await self._get(_WishSeen, "GET", f"/wishes/{seen.id}?wait=10")
        if seen.state != "done":
            raise ApiError(f"the wish {verb} is {seen.state}: {seen.answer}")
        return seen.answer

    async def status(self, version: str = "", wait: float = 1.0) -> Status:
        """The rollout, when it is another than that of `version`, or as it is after `wait` seconds."""
        query = urlencode({"version": version, "wait": wait}) if version else ""
        return await self._get(Status, "GET", f"/rollouts/latest?{query}")

    async def report(self, form: str) -> bytes:
        """The rollout's report, as `json` or `md`."""
        return await self.ask("GET", f"/rollouts/latest/report?format={form}")

    async def set_live(self, channel: str, live: bool) -> None:
        """Say that a stream began or ended."""
        await self.ask("POST", f"/channels/{channel}/live", {"live": live, "by": "drill"})

    async def look_at(self, channel: str) -> tuple[int, bool]:
        """A channel's epoch, and whether a move of it is under way."""
        seen = await self._get(_ChannelSeen, "GET", f"/channels/{channel}")
        return seen.epoch, seen.move is not None and seen.move.state in _UNDER_WAY

    async def force_move(self, channel: str, to: str) -> None:
        """Move a channel whether it is live or not."""
        await self.ask("POST", f"/channels/{channel}/move", {"to": to, "force": True, "reason": "a fault of the drill"})

    async def homes(self, channels: Sequence[str]) -> dict[str, Home]:
        """Where channels are."""
        found: dict[str, Home] = {}
        for first in range(0, len(channels), AT_ONCE):
            body = {"channels": list(channels[first : first + AT_ONCE])}
            found |= (await self._get(_Bulk, "POST", "/servers", body)).channels
        return found

    async def changes(self, since: int | None, wait: float = 5.0) -> Changes:
        """What changed after `since`; without it nothing, and the number of this moment."""
        query = "" if since is None else urlencode({"since": since, "wait": wait})
        return await self._get(Changes, "GET", f"/changes?{query}")

    async def doctor(self) -> Health:
        """Have everything compared."""
        return await self._get(Health, "GET", "/doctor")

    async def metric(self, name: str) -> float:
        """A metric of the server, all its labels added up."""
        text = (await self.ask("GET", "/metrics")).decode()
        values = re.findall(rf"^{re.escape(name)}(?:\{{[^}}]*\}})? (\S+)$", text, re.MULTILINE)
        if not values:
            raise ApiError(f"the server has no metric {name}")
        return sum(float(value) for value in values)

    async def _get(self, kind: type[T], method: str, path: str, body: Any = None) -> T:
        return msgspec.json.decode(await self.ask(method, path, body), type=kind)
