"""What processes tell each other of accounts: free JOINs, and what was charged."""

from __future__ import annotations

import msgspec
import pytest

from godwit.chat.limits import Charge, Limit, Limits, Table
from godwit.chat.speech import Saying, Speech, SpeechTable
from godwit.chatlog.hearsay import ENDED, LocalHearsay
from godwit.edge.accounts import LARGE, TOPIC, Accounts, Told
from godwit.edge.neighbours import TOPIC as PRESENCE
from tests.conformance.hearsay import Ear
from tests.edge.test_pace import joined, limited
from tests.edge.world import world

SMALL = Table(Limit(4, 10.0), Limit(8, 10.0), Limit(3, 10.0), Limit(3, 10.0))
SPOKEN = SpeechTable(3, 5, 20, 8, seconds=30.0, penalty=600.0)


class Process:
    """A process, as far as accounts go."""

    def __init__(self, name: str, hearsay: LocalHearsay) -> None:
        self.limits = Limits(SMALL)
        self.speech = Speech(SPOKEN, shares=True)
        self.accounts = Accounts(name, hearsay, self.limits, self.speech, lambda: 100.0)

    def join(self, channel: str = "room", bot: str = "") -> Charge:
        """A JOIN of account 7 on aws, as it would be charged here."""
        return self.limits.join("7", bot, channel, "aws", 100.0)

    def say(self) -> Saying:
        """Account 7 says something where it is an ordinary member."""
        saying = self.speech.say("7", "c1", "", "room", False, 100.0)
        if self.speech.has_news:
            self.accounts.said_much()
        return saying


@pytest.fixture
async def hearsay() -> LocalHearsay:
    return LocalHearsay()


@pytest.fixture
async def ear(hearsay: LocalHearsay) -> Ear:
    return Ear(hearsay, TOPIC)


async def told(ear: Ear, number: int = 1) -> list[Told]:
    """What was told, once that many messages were."""
    while len(ear.heard) < number:
        await ear.next()
    return [msgspec.msgpack.decode(payload, type=Told) for payload in ear.heard]


async def test_a_free_join_is_free_in_all_processes(hearsay: LocalHearsay, ear: Ear) -> None:
    """LIMIT-5."""
    one, two = Process("one", hearsay), Process("two", hearsay)
    one.accounts.grant("7", "room", "aws", 2)
    one.accounts.grant("7", "other", "main", 2)
    assert await told(ear) == [Told("one", (("7", "room", "aws", 2), ("7", "other", "main", 2)))]
    assert [two.join("room"), two.join("room"), two.join("other")] == [Charge.FREE, Charge.CHARGED, Charge.CHARGED]
    assert one.join("room") is Charge.CHARGED  # the teller has put it down itself, or not


async def test_charges_count_in_all_processes_soon(hearsay: LocalHearsay, ear: Ear) -> None:
    """LIMIT-3."""
    one, two = Process("one", hearsay), Process("two", hearsay)
    for _ in range(3):
        one.accounts.joined("7", "")
    one.accounts.logged_in("7", "")
    one.accounts.logged_in("8", "verified")
    assert await told(ear) == [Told("one", (), (("7", "", 3),), (("7", "", 1), ("8", "verified", 1)))]
    assert [two.join(), two.join()] == [Charge.CHARGED, Charge.OVER_FIRST]
    logins = [two.limits.login("7", "", 100.0) for _ in range(3)]
    assert logins == [Charge.CHARGED, Charge.CHARGED, Charge.OVER_FIRST]
    assert [one.join() for _ in range(4)] == [Charge.CHARGED] * 4  # what it told itself is not charged again


async def test_charges_are_collected_and_told_once(hearsay: LocalHearsay, ear: Ear) -> None:
    one = Process("one", hearsay)
    one.accounts.joined("7", "")
    one.accounts.grant("7", "room", "aws", 2)
    one.accounts.joined("7", "")
    assert await told(ear) == [Told("one", (("7", "room", "aws", 2),), (("7", "", 2),))]
    one.accounts.joined("7", "")
    assert (await told(ear, 2))[1] == Told("one", (), (("7", "", 1),))


async def test_messages_stay_small(hearsay: LocalHearsay, ear: Ear) -> None:
    one, two = Process("one", hearsay), Process("two", hearsay)
    for number in range(LARGE + 1):
        one.accounts.grant("7", f"c{number}", "aws", 2)
    assert [len(message.tickets) for message in await told(ear, 2)] == [LARGE, 1]
    assert two.join(f"c{LARGE}") is Charge.FREE


async def test_nothing_is_told_or_heard_after_the_end(hearsay: LocalHearsay, ear: Ear) -> None:
    one, two = Process("one", hearsay), Process("two", hearsay)
    one.accounts.joined("7", "")
    one.accounts.stop()
    two.accounts.grant("7", "room", "aws", 2)
    two.accounts.stop()
    await told(ear)
    assert one.join() is Charge.CHARGED
    assert len(ear.heard) == 1


async def test_a_move_told_by_one_process_makes_the_join_at_another_free() -> None:
    """LIMIT-5."""
    async with limited() as net:
        await net.another("aws-2", "aws")
        ann = await net.login("ann")
        assert await joined(net, ann, "a", "b", "c", "d") == ["a", "b", "c", "d"]
        await net.claim("a")
        await net.move("a", "aws")
        await ann.until("SERVERCHANGE")
        there = await net.login("ann", "aws-2")
        assert await joined(net, there, "a") == ["a"]
        assert net.nodes["aws-2"].counts.joins_free == 1


async def test_joins_at_two_processes_count_together() -> None:
    """LIMIT-3."""
    async with limited() as net:
        await net.another("main-2", "main")
        ear = Ear(net.hearsay, TOPIC)
        one, two = await net.login("ann"), await net.login("ann", "main-2")
        assert await joined(net, one, "a", "b", "c") == ["a", "b", "c"]
        while sum(count for message in await told(ear) for _, _, count in message.joins) < 3:
            await ear.next()
        assert await joined(net, two, "d", "e") == ["d"]


async def test_anonymous_connections_are_nobodys_business() -> None:
    async with limited() as net:
        ear = Ear(net.hearsay, TOPIC)
        anyone, ann = await net.login("justinfan1"), await net.login("ann")
        assert await joined(net, anyone, "a") == ["a"]
        assert await joined(net, ann, "b") == ["b"]
        messages = await told(ear)
        accounts = {account for message in messages for account, _, _ in (*message.joins, *message.logins)}
        assert accounts == {net.session("ann").account}


async def test_at_the_end_nobody_hears_anything() -> None:
    async with world(limits={"preset": "now"}) as net:
        await net.another("main-2", "main")
        topics = [TOPIC, ENDED, PRESENCE, *(f"{PRESENCE}.{node.name}" for node in net.nodes.values())]
        assert all(net.hearsay.heard(topic) for topic in topics)
    assert not any(net.hearsay.heard(topic) for topic in topics)


@pytest.mark.row("LIMIT-7")
async def test_what_is_said_counts_in_all_processes_soon(hearsay: LocalHearsay, ear: Ear) -> None:
    one, two = Process("one", hearsay), Process("two", hearsay)
    assert [one.say(), one.say()] == [Saying.FINE, Saying.FINE]
    assert (await told(ear))[0].said == (("7", 2, 2),)
    assert [two.say(), two.say()] == [Saying.FINE, Saying.IGNORED_FIRST]
    assert one.say() is Saying.FINE  # it was not told of the other's yet, and is not punished by hearsay


@pytest.mark.row("LIMIT-7", "LIMIT-8")
async def test_who_is_ignored_or_locked_out_is_so_in_all_processes_at_once(hearsay: LocalHearsay, ear: Ear) -> None:
    one, two = Process("one", hearsay), Process("two", hearsay)
    one.accounts.ignored("7", 600.0)
    one.accounts.locked_out("192.0.2.1", 600.0)
    assert len(await told(ear, 2)) == 2
    assert two.say() is Saying.IGNORED
    assert two.speech.locked_out("192.0.2.1", 101.0)
    assert one.say() is Saying.FINE  # who tells has put it down itself
