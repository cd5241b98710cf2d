"""The account is exact: whatever is done to what a client received turns it red, and names it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from godwit.drill.ledger import Count, Ledger, Reception, Role
from godwit.drill.lines import numbered

ROOM = "room"


class Story:
    """A room told to a ledger: time goes on by a second with each fact."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.time = 0.0
        self._numbers: dict[str, int] = {}

    def tick(self) -> float:
        """The next second."""
        self.time += 1
        return self.time

    def join(self, client: str, connection: int, role: Role = "legacy") -> None:
        """A JOIN is answered."""
        self.ledger.joined(client, role, ROOM, connection, self.tick())

    def say(
        self, talker: str, *, acknowledged: bool = True, connection: int = -1, msg_id: str = ""
    ) -> tuple[str, str, str]:
        """A message is sent and acknowledged; returns what a line of it says."""
        number = self._numbers[talker] = self._numbers.get(talker, 0) + 1
        nonce, text = f"{talker}{number}", numbered(number, "hello")
        self.ledger.sent(talker, ROOM, number, text, nonce, connection, self.tick())
        msg_id = msg_id or f"id-{nonce}"
        if acknowledged:
            self.ledger.acknowledged(nonce, msg_id, self.tick())
        return talker, text, msg_id

    def hear(
        self, client: str, connection: int, *said: tuple[str, str, str], role: Role = "legacy", tags: bool = True
    ) -> None:
        """Lines come in."""
        for talker, text, msg_id in said:
            line = Reception(client, role, ROOM, connection, talker, text, msg_id if tags else "", self.tick())
            self.ledger.heard(line)

    def verdict(self) -> Count:
        """The account."""
        return self.ledger.verdict()


@pytest.fixture
def story() -> Story:
    """A room with one legacy listener and two talkers."""
    story = Story()
    for connection, client in enumerate(("lee", "ann", "bob")):
        story.join(client, connection)
    return story


def test_all_is_well(story: Story) -> None:
    """Everything acknowledged is heard by everybody but its sender."""
    first, second = story.say("ann"), story.say("bob")
    story.hear("lee", 0, first, second)
    story.hear("ann", 1, second)
    story.hear("bob", 2, first)
    count = story.verdict()
    assert (count.sent, count.acknowledged, count.expected, count.delivered) == (2, 2, 4, 4)
    assert count.exact
    assert count.problems == ()


def test_lines_without_tags_are_matched_by_their_number(story: Story) -> None:
    """A connection without capabilities is counted just as well."""
    said = [story.say("ann"), story.say("ann")]
    story.hear("lee", 0, *said, tags=False)
    story.hear("bob", 2, *said)
    assert story.verdict().exact
    story.hear("lee", 0, said[0], tags=False)
    assert story.verdict().duplicated == 1


def test_lost(story: Story) -> None:
    """What does not come is lost, and named."""
    said = story.say("ann")
    story.hear("bob", 2, said)
    count = story.verdict()
    assert (count.expected, count.delivered, count.lost) == (2, 1, 1)
    assert count.problems == ("#room: lost: message 1 of ann (id id-ann1), at lee",)
    assert not count.exact


def test_duplicated(story: Story) -> None:
    """Twice on one connection is once too often."""
    said = story.say("ann")
    story.hear("lee", 0, said, said)
    story.hear("bob", 2, said)
    count = story.verdict()
    assert (count.duplicated, count.lost) == (1, 0)
    assert not count.exact


def test_stored_twice(story: Story) -> None:
    """The same words under a second id are no better."""
    said = story.say("ann", acknowledged=False)
    story.hear("lee", 0, said, (*said[:2], "id-other"))
    count = story.verdict()
    assert count.duplicated == 1


def test_one_id_for_two_messages(story: Story) -> None:
    """A connection sees an id once, whatever it stands for."""
    said = [story.say("ann", msg_id="same"), story.say("ann", msg_id="same")]
    story.hear("lee", 0, *said)
    story.hear("bob", 2, *said, tags=False)
    assert story.verdict().duplicated == 1


def test_misordered_among_talkers(story: Story) -> None:
    """Two readers must not see two lines in different orders."""
    story.join("liz", 3)
    first, second = story.say("ann"), story.say("bob")
    story.hear("lee", 0, first, second)
    story.hear("liz", 3, second, first)
    story.hear("ann", 1, second)
    story.hear("bob", 2, first)
    count = story.verdict()
    assert (count.misordered, count.lost, count.duplicated) == (1, 0, 0)
    assert not count.exact


def test_misordered_by_everybody_alike(story: Story) -> None:
    """One talker's lines come in the order of their numbers, even if all agree on another."""
    first, second = story.say("ann"), story.say("ann")
    story.hear("lee", 0, second, first)
    story.hear("bob", 2, second, first)
    assert story.verdict().misordered == 2


def test_not_acknowledged(story: Story) -> None:
    """It is expected nowhere, may be seen, not twice; and the verdict is red anyway."""
    said = story.say("ann", acknowledged=False)
    count = story.verdict()
    assert (count.unacknowledged, count.expected, count.lost) == (1, 0, 0)
    assert not count.exact
    assert story.ledger.unacknowledged == 1
    story.hear("lee", 0, said)
    assert story.verdict().foreign == 0
    story.hear("lee", 0, said)
    assert story.verdict().duplicated == 1


def test_joined_later_and_left_earlier(story: Story) -> None:
    """Only what was sent after the JOIN's answer and acknowledged before the PART is expected."""
    before = story.say("ann")
    story.join("liz", 3)
    during = story.say("ann")
    story.hear("liz", 3, during)
    story.ledger.left("liz", ROOM, story.tick())
    after = story.say("ann")
    story.hear("lee", 0, before, during, after)
    story.hear("bob", 2, before, during, after)
    count = story.verdict()
    assert (count.expected, count.delivered) == (7, 7)
    assert count.exact


@pytest.mark.parametrize(
    "line",
    [
        ("ann", numbered(7, "never said"), "x"),
        ("ann", "hello?", "x"),
        ("ann", numbered(1, "altered"), "id-ann1"),
        ("ann", numbered(1, "hello"), "another id"),
        ("eve", numbered(1, "hello"), "x"),
    ],
)
def test_foreign(story: Story, line: tuple[str, str, str]) -> None:
    """A line that nobody said like that."""
    said = story.say("ann")
    story.hear("lee", 0, said, line)
    story.hear("bob", 2, said)
    count = story.verdict()
    assert (count.foreign, count.lost) == (1, 0)
    assert not count.exact


def test_own_lines(story: Story) -> None:
    """A connection does not hear what was sent on it; another one of the same account may."""
    said = story.say("ann", connection=1)
    story.hear("lee", 0, said)
    story.hear("bob", 2, said)
    story.hear("ann", 7, said)
    count = story.verdict()
    assert count.exact
    assert (count.overlap, count.expected) == (1, 2)
    story.hear("ann", 1, said)
    count = story.verdict()
    assert (count.foreign, count.exact) == (1, False)


def test_a_room_that_was_not_joined(story: Story) -> None:
    """Its lines are foreign."""
    said = story.say("ann")
    story.hear("lee", 0, said)
    story.hear("bob", 2, said)
    story.hear("eve", 9, said)
    assert story.verdict().foreign == 1


def test_acknowledged_wrongly(story: Story) -> None:
    """An acknowledgement of nothing, and a second one, are told."""
    story.ledger.acknowledged("nonsense", "x", story.tick())
    said = story.say("ann")
    story.ledger.acknowledged("ann1", "y", story.tick())
    story.hear("lee", 0, said)
    story.hear("bob", 2, said)
    count = story.verdict()
    assert not count.exact
    assert len(count.problems) == 2


def test_a_follower_listens_on_one_side_at_a_time(story: Story) -> None:
    """What both sides show is overlap; what only the side that was left shows is lost."""
    story.join("flo", 4, "follower")
    said = [story.say("ann") for _ in range(4)]
    story.hear("flo", 4, said[0], said[1], role="follower")
    story.join("flo", 5, "follower")
    story.hear("flo", 5, said[1], said[2], role="follower")
    story.hear("flo", 4, said[2], said[3], role="follower")
    story.hear("lee", 0, *said)
    story.hear("bob", 2, *said)
    count = story.verdict()
    assert (count.overlap, count.duplicated, count.misordered) == (2, 0, 0)
    assert (count.lost, count.problems) == (1, ("#room: lost: message 4 of ann (id id-ann4), at flo",))


def test_what_a_follower_listened_to_is_in_order(story: Story) -> None:
    """Each connection in order is not enough: so is the whole that a follower makes of them."""
    story.join("flo", 4, "follower")
    said = [story.say("ann") for _ in range(3)]
    story.hear("flo", 4, said[0], said[2], role="follower")
    story.join("flo", 5, "follower")
    story.hear("flo", 5, said[1], said[2], role="follower")
    story.hear("lee", 0, *said)
    story.hear("bob", 2, *said)
    count = story.verdict()
    assert (count.misordered, count.lost) == (1, 0)


def test_overlap_under_two_ids_is_a_duplicate(story: Story) -> None:
    """A follower could not tell that it is the same message."""
    story.join("flo", 4, "follower")
    talker, text, _ = story.say("ann", acknowledged=False)
    story.hear("flo", 4, (talker, text, "one"), role="follower")
    story.join("flo", 5, "follower")
    story.hear("flo", 5, (talker, text, "two"), role="follower")
    assert story.verdict().duplicated == 1


def test_silence() -> None:
    """The longest time from sending to arrival, per role."""
    ledger = Ledger()
    ledger.joined("lee", "legacy", ROOM, 0, 0.0)
    ledger.joined("flo", "follower", ROOM, 1, 0.0)
    for number, sent in ((1, 10.0), (2, 20.0)):
        text = numbered(number, "x")
        ledger.sent("ann", ROOM, number, text, f"n{number}", 9, sent)
        ledger.acknowledged(f"n{number}", f"i{number}", sent)
        ledger.heard(Reception("lee", "legacy", ROOM, 0, "ann", text, "", sent + 0.5 / number))
        ledger.heard(Reception("flo", "follower", ROOM, 1, "ann", text, f"i{number}", sent + 0.25 * number))
    assert ledger.verdict().longest_silence_ms == {"legacy": 500.0, "follower": 500.0}


def test_fresh_messages_are_not_expected_yet(story: Story) -> None:
    """A count on the way leaves out what was acknowledged a moment ago."""
    old = story.say("ann")
    before = story.tick()
    story.say("ann")
    story.hear("lee", 0, old)
    story.hear("bob", 2, old)
    count = story.ledger.count(ROOM, before)
    assert (count.expected, count.lost) == (2, 0)
    assert story.verdict().lost == 2


# Tampering -----------------------------------------------------------------------------------

Line = tuple[str, int, tuple[str, str, str]]
"""Who hears, on which connection, what."""


def _lines(order: Sequence[tuple[str, str, str]], turn: int, overlap: int) -> list[Line]:
    """What a legacy listener, two talkers and a follower that changes sides at `turn` hear."""
    lines: list[Line] = [("lee", 0, said) for said in order]
    lines += [("ann", 1, said) for said in order if said[0] != "ann"]
    lines += [("bob", 2, said) for said in order if said[0] != "bob"]
    lines += [("flo", 3, said) for said in order[:turn]]
    lines += [("flo", 4, said) for said in order[max(0, turn - overlap) :]]
    return lines


def _judge(talkers: Sequence[str], turn: int, overlap: int, tamper: Callable[[list[Line]], list[Line]]) -> Count:
    story = Story()
    for connection, client in enumerate(("lee", "ann", "bob")):
        story.join(client, connection)
    story.join("flo", 3, "follower")
    order = [story.say(talker) for talker in talkers]
    turned = False
    for client, connection, said in tamper(_lines(order, turn, overlap)):
        if connection == 4 and not turned:
            story.join("flo", 4, "follower")
            turned = True
        story.hear(client, connection, said, role="follower" if client == "flo" else "legacy", tags=client != "lee")
    return story.verdict()


_conversation = st.lists(st.sampled_from(["ann", "bob"]), min_size=2, max_size=12)


@st.composite
def _scene(draw: st.DrawFn) -> tuple[list[str], int, int]:
    talkers = draw(_conversation)
    turn = draw(st.integers(1, len(talkers)))
    return talkers, turn, draw(st.integers(0, turn))


@given(_scene())
def test_untampered_is_exact(scene: tuple[list[str], int, int]) -> None:
    """The scene itself is green, with its overlap counted apart."""
    count = _judge(*scene, lambda lines: lines)
    assert count.exact
    assert count.overlap == scene[2]


@given(_scene(), st.data())
def test_a_dropped_line_is_found(scene: tuple[list[str], int, int], data: st.DataObject) -> None:
    """Any line that its client had no second time."""
    lines = _lines([(talker, str(index), "") for index, talker in enumerate(scene[0])], *scene[1:])
    heard = [(client, said) for client, _, said in lines]
    once = [index for index, entry in enumerate(heard) if heard.count(entry) == 1]
    victim = data.draw(st.sampled_from(once))
    count = _judge(*scene, lambda lines: lines[:victim] + lines[victim + 1 :])
    assert count.lost == 1
    assert not count.exact


@given(_scene(), st.data())
def test_a_repeated_line_is_found(scene: tuple[list[str], int, int], data: st.DataObject) -> None:
    """Any line at all, at once or later on its connection."""

    def repeat(lines: list[Line]) -> list[Line]:
        victim = data.draw(st.sampled_from(range(len(lines))))
        places = [i + 1 for i in range(victim, len(lines)) if lines[i][:2] == lines[victim][:2]]
        place = data.draw(st.sampled_from(places))
        return [*lines[:place], lines[victim], *lines[place:]]

    count = _judge(*scene, repeat)
    assert (count.duplicated, count.lost) == (1, 0)
    assert not count.exact


@given(_scene(), st.data())
def test_swapped_lines_are_found(scene: tuple[list[str], int, int], data: st.DataObject) -> None:
    """Two lines of one connection that another connection shows too, or of one talker."""
    talkers, turn, overlap = scene
    lines = _lines([(talker, str(index), "") for index, talker in enumerate(talkers)], turn, overlap)
    pairs = [
        (first, second)
        for first in range(len(lines))
        for second in range(first + 1, len(lines))
        if lines[first][:2] == lines[second][:2] and _is_checked(lines, first, second)
    ]
    if not pairs:
        return
    first, second = data.draw(st.sampled_from(pairs))

    def swap(told: list[Line]) -> list[Line]:
        told[first], told[second] = told[second], told[first]
        return told

    count = _judge(talkers, turn, overlap, swap)
    assert count.misordered > 0
    assert not count.exact


def _is_checked(lines: list[Line], first: int, second: int) -> bool:
    one, other = lines[first][2], lines[second][2]
    if one[0] == other[0]:
        return True
    connections = {line[1] for line in lines if line[2] == one} & {line[1] for line in lines if line[2] == other}
    return len(connections) > 1
