"""`LocalHearsay`, and what is told with any hearsay."""

from __future__ import annotations

import msgspec
import pytest

from godwit.chatlog.hearsay import ENDED, Ended, Hearsay, LocalHearsay, end_accounts
from tests.conformance.hearsay import Ear, HearsaySuite


class LocalRig:
    """Nodes of one process talk over one object."""

    def __init__(self) -> None:
        self._hearsay = LocalHearsay()

    async def open(self) -> Hearsay:
        return self._hearsay


class TestLocalHearsay(HearsaySuite):
    @pytest.fixture
    def rig(self) -> LocalRig:
        return LocalRig()


async def test_accounts_that_end() -> None:
    hearsay = LocalHearsay()
    ear = Ear(hearsay, ENDED)
    end_accounts(hearsay, ["7", "8"])
    await ear.wait(msgspec.msgpack.encode(Ended(("7", "8"))))


async def test_a_topic_that_nobody_hears_costs_nothing() -> None:
    hearsay = LocalHearsay()
    one, two = Ear(hearsay, "t"), Ear(hearsay, "t")
    one.hearing.close()
    assert hearsay.heard("t")
    two.hearing.close()
    assert not hearsay.heard("t")
