"""Who is in a channel on an edge: let in, served, early, sent after it, or out (rules C5, C11, C12, F1, F3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import Protocol

import msgspec

from godwit.chat.admission import Admission, admit
from godwit.edge.history import Recall
from godwit.edge.ports import Audience, Member
from godwit.values import Arrive, Placement, Position


class Standing(Protocol):
    """Where the channel stands, as far as membership depends on it."""

    cluster: str

    @property
    def home(self) -> str:
        """The cluster of the segment that is read."""
        ...

    @property
    def previous(self) -> Sequence[str]:
        """Clusters that were the channel's home before."""
        ...

    @property
    def position(self) -> Position:
        """Everything up to here has been read."""
        ...

    @property
    def drains(self) -> Mapping[str, float]:
        """For each of these, when its own drain ends."""
        ...


class _Waiting(msgspec.Struct):
    """A JOIN that cannot be answered yet.

    Attributes:
        since: when it came; away from home only a placement asked for later answers it.
        first: when the first of its like came, if it was repeated.
        patient: it may go on waiting for a log that does not answer.
        epoch: the channel must have come this far first.
    """

    after: Position | None
    since: float
    first: float
    patient: bool = True
    epoch: int = 0
    confirmed: bool = False


class Attendance:
    """The members of a channel on an edge.

    Args:
        standing: where the channel stands.
        audience: is told what becomes of them.
        recall: the lines for those who resume.
        legacy_rule: what happens after a drain to those who have not followed.
        lease: seconds for which a position that a client names is waited for at least, and for which somebody who
            was told late may stay.
        hold: seconds for which a log that does not answer is waited for, if somebody resumes.
    """

    __slots__ = (
        "_announced", "_audience", "_heard_at", "_hold", "_late", "_lease", "_legacy_rule", "_recall", "_standing",
        "members", "waiting",
    )  # fmt: skip

    def __init__(
        self,
        standing: Standing,
        audience: Audience,
        recall: Recall,
        legacy_rule: str,
        *,
        lease: float,
        hold: float,
    ) -> None:
        self.members: dict[Member, bool] = {}
        """Who is let in, and whether they are served (False: early, silent)."""
        self._standing = standing
        self._audience = audience
        self._recall = recall
        self._legacy_rule = legacy_rule
        self._lease = lease
        self._hold = hold
        self._heard_at = 0.0
        self.waiting: dict[Member, _Waiting] = {}
        """Who waits to be let in."""
        self._announced = 0.0
        self._late: dict[Member, float] = {}
        """Members that were not told at once, and until when they may stay; infinite until they are told."""

    @property
    def unsettled(self) -> bool:
        """Whether somebody waits to be let in, to be served, or to be told where the channel went."""
        return bool(self.waiting or self._late) or not all(self.members.values())

    @property
    def oldest_wanted(self) -> int | None:
        """The oldest epoch that somebody who waits wants to resume in."""
        return min((waiting.after.epoch for waiting in self.waiting.values() if waiting.after), default=None)

    def join(self, member: Member, after: Position | None, now: float) -> None:
        """A connection wants in; with `after`, what came after that position first (rule F3)."""
        before = self.waiting.get(member)
        self.waiting[member] = _Waiting(after, now, before.first if before else now)

    def leave(self, member: Member) -> None:
        """A connection is out."""
        self._drop(member)
        self.waiting.pop(member, None)

    def _drop(self, member: Member) -> bool:
        """End a membership; says whether there was one."""
        self._late.pop(member, None)
        return self.members.pop(member, None) is not None

    def confirm(self, epoch: int, asked_at: float) -> None:
        """The store, asked at `asked_at`, says that the channel has come to `epoch`."""
        for waiting in self.waiting.values():
            if waiting.since <= asked_at:
                waiting.confirmed = True
                waiting.epoch = max(waiting.epoch, epoch)

    def heard(self, asked_at: float) -> None:
        """The log, asked at `asked_at`, says that nothing lies behind the position that has been read."""
        self._heard_at = max(self._heard_at, asked_at)

    def admit(self, now: float, *, redirect: Placement | None) -> bool:
        """Let in who can be; `redirect` is the placement to send them to if that may be told (rule C5).

        Returns:
            Whether the store must be asked before somebody else can be answered.
        """
        standing, ask = self._standing, False
        for member, waiting in list(self.waiting.items()):
            if standing.position.epoch < waiting.epoch:
                continue  # the placement that the store knows of has not been reached
            waiting.patient = now - waiting.first <= self._hold
            ahead = waiting.after is not None and waiting.after > standing.position
            asked = self._heard_at > waiting.first or not waiting.patient
            if ahead and not (asked and now - waiting.since > self._lease):
                continue  # the client comes from an edge that has read further; or it is making it up
            if standing.cluster != standing.home and not waiting.confirmed:
                ask = True
                continue
            how = admit(
                standing.cluster,
                home=standing.home,
                previous=standing.previous,
                drain_until=standing.drains.get(standing.cluster, 0.0),
                legacy_rule=self._legacy_rule,
                now=now,
            )
            if how is Admission.REFUSED and redirect is None:
                continue  # where to may not be told yet (C5)
            if how is not Admission.REFUSED and not self._enter(member, waiting.after, how):
                continue
            self.waiting.pop(member, None)
            if how is not Admission.HOME and redirect:
                self._audience.redirected(member, redirect, asked=True)
            if how is Admission.REFUSED and self._drop(member):
                self._audience.parted(member)  # it was in until now, and must not believe that it still is
            elif how is Admission.REFUSED:
                self._audience.refused(member)
        return ask

    def _enter(self, member: Member, after: Position | None, how: Admission) -> bool:
        """Let a member in; False if lines for it must be read first. Who is served already is only answered."""
        served = self.members.get(member, False)
        home, silent = how is Admission.HOME, how is Admission.EARLY and not served
        if after is None or silent or served:
            self.members[member] = not silent
            self._audience.joined(member, self._standing.position, home=home, silent=silent, missing=None)
            return True
        missing, lines = 0, self._recall.after(after)
        if after > self._standing.position:
            missing, after = -1, self._standing.position
        elif lines is None:
            if self._recall.fetch(after, insist=self.waiting[member].patient):
                return False
            missing, after = -1, self._recall.since
            lines = list(self._recall.lines)
        assert lines is not None
        if not lines:
            after = self._standing.position  # it knows then that it has missed nothing: what it named may expire
        self.members[member] = True
        self._audience.joined(member, after, home=home, silent=False, missing=missing)
        self._audience.replayed(member, lines)
        return True

    def announce(self, placement: Placement, now: float) -> None:
        """Tell the members where the channel went, now that the store says so (rule C5)."""
        if placement.segment.cluster != self._standing.cluster:
            self._announced = now
            for member in list(self.members):
                self._audience.redirected(member, placement, asked=False)
            if self._legacy_rule != "bridge":
                self._late.update(dict.fromkeys(self._audience.untold(), inf))

    def welcome_early(self) -> tuple[str, ...]:
        """Serve early joiners without an account, if the channel came here.

        Returns:
            The accounts of the others: from a position on that all readers see (rule C12).
        """
        if self._standing.cluster not in (self._standing.home, *self._standing.previous):
            return ()
        accounts = {member.account for member, served in self.members.items() if not served and member.account}
        for member, served in list(self.members.items()):
            if not served and not member.account:
                self._serve(member)
        return tuple(sorted(accounts))

    def still_early(self, accounts: Sequence[str]) -> tuple[str, ...]:
        """Those of the accounts that still wait here to be served."""
        waiting = {member.account for member, served in self.members.items() if not served}
        return tuple(account for account in accounts if account in waiting)

    def _serve(self, member: Member) -> None:
        if not self.members[member]:
            self.members[member] = True
            self._audience.served(member)

    def arrive(self, record: Arrive) -> None:
        """Accounts are served on one cluster from here on: here, or not any more (rule C12)."""
        for member, served in list(self.members.items()):
            if member.account and member.account in record.accounts:
                if self._standing.cluster == record.cluster:
                    self._serve(member)
                elif served:
                    self._put_out(member)
                    self._audience.parted(member)

    def overstay(self) -> bool:
        """Whether members are served whose memberships the legacy rule ends after the drain (rule C11)."""
        standing = self._standing
        ends = self._legacy_rule != "bridge" and standing.home != standing.cluster
        return ends and standing.cluster in standing.previous and any(self.members.values())

    def evict(self, placement: Placement, now: float) -> None:
        """End them, if the drain is over, and not within a lease of being told (LIMIT-6).

        To be called every second or so.
        """
        drain_until = self._standing.drains.get(self._standing.cluster, 0.0)
        if not self.overstay() or now < drain_until - self._lease:
            return
        untold = self._audience.untold()
        for member, until in self._late.items():
            if until == inf and member not in untold:
                self._late[member] = now + self._lease
        if now >= max(drain_until, self._announced + self._lease):
            for member in [member for member, served in self.members.items() if served]:
                if now >= self._late.get(member, 0.0):
                    self._put_out(member)
                    self._audience.evicted(member, placement)

    def _put_out(self, member: Member) -> None:
        """End a membership; a JOIN that waits is not to repeat what was shown until now."""
        self._drop(member)
        waiting = self.waiting.get(member)
        if waiting and waiting.after:
            waiting.after = max(waiting.after, self._standing.position)
