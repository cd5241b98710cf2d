"""The store's rows of what lasts in a channel: bans, roles, hosting, settings (rules R2, R3)."""

from __future__ import annotations

from collections.abc import Sequence

from godwit.chat.room import Ruling, Valid, rulings_of
from godwit.edge.history import Recall
from godwit.edge.ports import Backend
from godwit.store.base import Sanction
from godwit.values import Position


class Rows:
    """The rows as one channel on one edge knows them, and those that it completes with their positions.

    Args:
        recall: keeps the rulings of those that are complete.
        backend: completes them in the store.
        patience: seconds after which an act that is not in the log will not come there any more.
    """

    __slots__ = ("_backend", "_complete", "_patience", "_placing", "_recall", "_unplaced")

    def __init__(self, recall: Recall, backend: Backend, patience: float) -> None:
        self._recall = recall
        self._backend = backend
        self._patience = patience
        self._complete: set[str] = set()
        self._unplaced: set[str] = set()
        self._placing: dict[str, tuple[Position, float]] = {}

    @property
    def rulings(self) -> list[Ruling]:
        """What those rows say whose positions are known."""
        return self._recall.rulings

    @property
    def blank(self) -> bool:
        """Whether there are no rows."""
        return not (self._complete or self._unplaced or self._placing)

    @property
    def incomplete(self) -> bool:
        """Whether rows have no position whose records may be in the log, or on their way there."""
        return bool(self._unplaced)

    @property
    def placing(self) -> bool:
        """Whether the store has yet to say that it has positions."""
        return bool(self._placing)

    def learn(self, rows: Sequence[Sanction], asked_at: float) -> None:
        """Take what the store has, as asked for at `asked_at`."""
        self._recall.rulings = [ruling for row in rows if (ruling := _ruling(row))]
        self._complete = {ruling.id for ruling in self._recall.rulings}
        horizon = asked_at - self._patience
        self._unplaced = {row.id for row in rows if not row.position and row.time >= horizon}

    def complete(self, outcome: Valid) -> None:
        """A valid record was read: every reader sees to it that its row gets its position."""
        record, position, time = outcome.record, outcome.position, outcome.time
        rulings = rulings_of(record, position, time)
        if not rulings:
            return
        self._unplaced.discard(record.id)
        if record.id not in self._complete:
            for ruling in rulings:
                self._recall.ruled(ruling)
            self._placing[record.id] = (position, time)
            self._backend.place_sanction(record.id, position, time)

    def placed(self, row_id: str) -> None:
        """The store has the position of a row."""
        self._placing.pop(row_id, None)

    def place_again(self) -> None:
        """Tell the store again what it has not confirmed."""
        for row_id, (position, time) in self._placing.items():
            self._backend.place_sanction(row_id, position, time)


def _ruling(row: Sanction) -> Ruling | None:
    """What a row says; None if nobody knows yet from where on."""
    if row.position is None:
        return None
    return Ruling(row.id, row.kind, row.target, row.position, row.time, row.seconds, row.target_login)
