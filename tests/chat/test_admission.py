"""Where a JOIN is let in (rules C11, C12)."""

from __future__ import annotations

import pytest

from godwit.chat.admission import Admission, admit

NOW = 100.0


@pytest.mark.parametrize("legacy_rule", ["bridge", "part", "reconnect"])
@pytest.mark.parametrize("drain_until", [0.0, NOW, NOW + 1])
@pytest.mark.parametrize("previous", [(), ("main",), ("main", "aws")])
def test_home(legacy_rule: str, drain_until: float, previous: tuple[str, ...]) -> None:
    """Home is home, whatever was before."""
    found = admit("aws", home="aws", previous=previous, drain_until=drain_until, legacy_rule=legacy_rule, now=NOW)
    assert found is Admission.HOME


@pytest.mark.parametrize(
    ("cluster", "drain_until", "legacy_rule", "expected"),
    [
        ("main", NOW + 1, "bridge", Admission.BRIDGE),
        ("main", NOW + 1, "part", Admission.BRIDGE),
        ("main", NOW + 1, "reconnect", Admission.BRIDGE),
        ("main", NOW, "bridge", Admission.BRIDGE),
        ("main", NOW, "part", Admission.REFUSED),
        ("main", NOW, "reconnect", Admission.REFUSED),
        ("main", 0.0, "bridge", Admission.BRIDGE),
        ("main", 0.0, "part", Admission.REFUSED),
        ("group", 0.0, "part", Admission.REFUSED),
        ("event", NOW + 1, "bridge", Admission.EARLY),
        ("event", NOW + 1, "part", Admission.EARLY),
        ("event", 0.0, "bridge", Admission.EARLY),
        ("event", 0.0, "reconnect", Admission.EARLY),
    ],
)
def test_away(cluster: str, drain_until: float, legacy_rule: str, expected: Admission) -> None:
    """Home is aws now; it was main before, and group before that."""
    found = admit(
        cluster, home="aws", previous=("main", "group"), drain_until=drain_until, legacy_rule=legacy_rule, now=NOW
    )
    assert found is expected
