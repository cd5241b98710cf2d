"""The witness numbers connections and enters what was heard, unless a fault was asked for."""

from __future__ import annotations

from godwit.drill.faults import Tamper
from godwit.drill.ledger import Ledger, Reception
from godwit.drill.lines import numbered
from godwit.drill.witness import Witness


def test_connections_are_numbered() -> None:
    """No number comes twice."""
    witness = Witness(Ledger(), Tamper("none"), lambda: 0.0)
    assert [witness.connection_number() for _ in range(3)] == [1, 2, 3]


def test_what_was_heard_is_entered_through_the_tamper() -> None:
    """Here it repeats the line."""
    ledger = Ledger()
    witness = Witness(ledger, Tamper("repeat", nth=1), lambda: 0.0)
    ledger.joined("lee", "legacy", "room", 1, 0.0)
    ledger.sent("ann", "room", 1, numbered(1, "x"), "n", 2, 1.0)
    ledger.acknowledged("n", "i", 1.0)
    witness.heard(Reception("lee", "legacy", "room", 1, "ann", numbered(1, "x"), "i", 2.0))
    count = ledger.verdict()
    assert (count.delivered, count.duplicated) == (1, 1)
