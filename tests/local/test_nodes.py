"""A network of many processes on one machine; `tests/e2e/test_roles.py` runs a whole one."""

from __future__ import annotations

from pathlib import Path

import pytest

from godwit.errors import InvalidRequest
from godwit.local.nodes import LocalNetwork, Size


def test_sizes_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="1 or 3 NATS servers here, not 2"):
        LocalNetwork(Size(nats=2), tmp_path)


async def test_what_does_not_start_leaves_nothing_running(tmp_path: Path) -> None:
    """Here a setting that cannot be; it is found when the servers run already."""
    network = LocalNetwork(Size(("main",), 1, 1, 1), tmp_path, ["move.drain=never"])
    with pytest.raises(InvalidRequest, match=r"move\.drain"):
        await network.start()
    assert [about["pid"] for about in network.processes().values()] == [0, 0]
    assert (tmp_path / "godwit.toml").stat().st_mode & 0o777 == 0o600
    await network.stop()
