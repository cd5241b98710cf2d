"""What the API gives and takes of facts, holds, clusters and changes, as the OpenAPI page shows it."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from godwit.rollout.values import Facts, Hold
from godwit.web.views import Actor, Given, View


class FactsChange(Given):
    """What is known of a channel; what is left out stays as it was."""

    model_config = ConfigDict(extra="forbid")

    tier: Literal["", "affiliate", "partner", "staff"] | None = None
    opt: Literal["", "in", "out"] | None = None
    members: int | None = Field(None, ge=0, le=2**31 - 1)
    rate: float | None = Field(None, ge=0, allow_inf_nan=False)
    starts_at: float | None = Field(None, ge=0, allow_inf_nan=False)


class NewFacts(FactsChange):
    """The same, and who says so."""

    by: Actor = "admin"


class FactsView(View):
    """What is known of a channel."""

    channel: str
    tier: str
    opt: str
    members: int
    rate: float
    starts_at: float

    @classmethod
    def of(cls, facts: Facts) -> FactsView:
        """Show facts."""
        return cls(
            channel=facts.channel,
            tier=facts.tier,
            opt=facts.opt,
            members=facts.members,
            rate=facts.rate,
            starts_at=facts.starts_at,
        )


class RefusedRow(View):
    """A row that was not taken; lines are counted from 1."""

    line: int
    error: str


class Imported(View):
    """What came of an import.

    Attributes:
        imported: rows that were taken.
        refused: the others, the first thousand.
        refused_count: how many they are in all.
    """

    imported: int
    refused: tuple[RefusedRow, ...]
    refused_count: int


class HoldView(View):
    """Somebody wants a channel to stay where it is."""

    channel: str
    by: str
    reason: str
    time: float

    @classmethod
    def of(cls, hold: Hold) -> HoldView:
        """Show a hold."""
        return cls(channel=hold.channel, by=hold.by, reason=hold.reason, time=hold.time)


class Holds(View):
    """All holds, by channel."""

    holds: tuple[HoldView, ...]


class ClusterView(View):
    """A cluster.

    Attributes:
        channels: channels that live there, of those that were ever placed.
        moves: unfinished moves that come from there or go there.
        default: channels without a row are there.
        retired_into: the cluster that its addresses serve, '' if they serve itself.
    """

    name: str
    tcp: tuple[str, ...]
    tls: tuple[str, ...]
    ws: tuple[str, ...]
    wss: tuple[str, ...]
    channels: int
    moves: int
    default: bool
    retired_into: str


class Clusters(View):
    """The clusters, the first one first."""

    clusters: tuple[ClusterView, ...]


class Change(View):
    """What changed.

    Attributes:
        kind: `moved`: a channel did; `default`: all channels that were never placed did; `retired`: the addresses of
            `cluster` serve `into` from now on.
    """

    number: int
    time: float
    kind: str
    channel: str | None = None
    cluster: str | None = None
    epoch: int | None = None
    source: str | None = Field(None, serialization_alias="from")
    into: str | None = None


class Changes(View):
    """What changed behind a cursor.

    Attributes:
        next: `since` of the next question.
        reset: true if changes were missed: look up anew what you need, and go on with `next`.
    """

    next: int
    reset: bool | None = None
    changes: tuple[Change, ...]


class PublicMove(View):
    """A move that is planned or done; a planned one says of which wave, a done one when."""

    channel: str
    source: str = Field(serialization_alias="from")
    target: str = Field(serialization_alias="to")
    rollout: str | None = None
    wave: str | None = None
    time: float | None = None


class PublicMoves(View):
    """Moves.

    Attributes:
        next: `after` of the next question; '' if that was all.
    """

    moves: tuple[PublicMove, ...]
    next: str
