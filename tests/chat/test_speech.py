"""How much may be said (LIMIT-7 to LIMIT-10)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from godwit.chat.speech import (
    DAY,
    SPEECH,
    Saying,
    Speech,
    SpeechTable,
    Whispering,
    Whispers,
    WhisperTable,
    speech_table,
    whisper_table,
)
from godwit.settings import LimitSettings

SMALL = SpeechTable(3, 5, 20, 8, seconds=30.0, penalty=600.0)
THEN = SpeechTable(3, 3, 3, 8, seconds=30.0, penalty=600.0, per_connection=True)


def says(speech: Speech, count: int, now: float, *, elevated: bool = False, bot: str = "", by: str = "c1") -> list[str]:
    """What becomes of that many messages of one account, each to a channel of its own."""
    return [speech.say("1", by, bot, f"room{number}", elevated, now).value for number in range(count)]


# the numbers ------------------------------------------------------------------------------------


@pytest.mark.row("LIMIT-7", "LIMIT-9")
def test_the_limits_of_today() -> None:
    now = SPEECH["now"]
    assert (now.messages, now.known_messages, now.verified_messages, now.elevated_messages) == (20, 50, 7500, 100)
    assert (now.seconds, now.penalty, now.channel_interval, now.per_connection) == (30.0, 1800.0, 1.0, False)


@pytest.mark.row("LIMIT-8", "LIMIT-9")
def test_the_limits_of_2016() -> None:
    then = SPEECH["2016"]
    assert (then.messages, then.known_messages, then.verified_messages, then.elevated_messages) == (20, 20, 20, 100)
    assert (then.seconds, then.penalty, then.channel_interval, then.per_connection) == (30.0, 7200.0, 0.0, True)


def test_every_number_may_be_given() -> None:
    settings = LimitSettings(
        messages=1, known_messages=2, verified_messages=3, elevated_messages=4, message_window=5.0, penalty=6.0,
        channel_interval=7.0, whispers_per_second=8, whispers_per_minute=9, whisper_recipients=10,
    )  # fmt: skip
    assert speech_table(settings) == SpeechTable(1, 2, 3, 4, seconds=5.0, penalty=6.0, channel_interval=7.0)
    assert whisper_table(settings) == WhisperTable(8, 9, 10)


def test_without_limits() -> None:
    settings = LimitSettings(preset="off")
    speech, whispers = Speech(speech_table(settings)), Whispers(whisper_table(settings))
    assert says(speech, 50, 0.0) == ["fine"] * 50
    assert {whispers.whisper("1", str(number), 0.0) for number in range(200)} == {Whispering.FINE}
    assert speech.kept == 0


# today ------------------------------------------------------------------------------------------


@pytest.mark.row("LIMIT-7")
def test_past_the_limit_an_account_is_ignored_for_a_while() -> None:
    speech = Speech(SMALL)
    assert says(speech, 5, 0.0) == ["fine"] * 3 + ["ignored first", "ignored"]
    assert says(speech, 1, 599.9, elevated=True, by="c2") == ["ignored"]
    assert says(speech, 1, 600.0) == ["fine"]


@pytest.mark.row("LIMIT-7")
def test_the_bucket_is_full_again_whole() -> None:
    speech = Speech(SMALL)
    assert says(speech, 3, 0.0) == ["fine"] * 3
    assert says(speech, 3, 30.0) == ["fine"] * 3
    assert says(speech, 1, 59.9) == ["ignored first"]


@pytest.mark.row("LIMIT-7")
def test_moderators_have_a_larger_bucket() -> None:
    speech = Speech(SMALL)
    assert says(speech, 9, 0.0, elevated=True) == ["fine"] * 8 + ["ignored first"]


@pytest.mark.row("LIMIT-7")
def test_what_an_ordinary_member_says_draws_from_both() -> None:
    speech = Speech(SMALL)
    assert says(speech, 3, 0.0) == ["fine"] * 3
    assert says(speech, 6, 1.0, elevated=True) == ["fine"] * 5 + ["ignored first"]
    other = Speech(SMALL)
    assert says(other, 8, 0.0, elevated=True) == ["fine"] * 8
    assert says(other, 1, 1.0) == ["ignored first"]


@pytest.mark.row("LIMIT-7")
@pytest.mark.parametrize(("bot", "ordinary", "elevated"), [("known", 5, 8), ("verified", 20, 20)])
def test_bots(bot: str, ordinary: int, elevated: int) -> None:
    assert says(Speech(SMALL), ordinary + 1, 0.0, bot=bot) == ["fine"] * ordinary + ["ignored first"]
    assert says(Speech(SMALL), elevated + 1, 0.0, bot=bot, elevated=True) == ["fine"] * elevated + ["ignored first"]


@pytest.mark.row("LIMIT-7")
def test_other_accounts_are_counted_apart() -> None:
    speech = Speech(SMALL)
    says(speech, 5, 0.0)
    assert speech.say("2", "c1", "", "room", False, 0.0) is Saying.FINE


@pytest.mark.row("LIMIT-7")
def test_who_says_much_is_news_for_others() -> None:
    here, there = Speech(SMALL, shares=True), Speech(SMALL)
    says(here, 2, 0.0)
    says(here, 3, 1.0, elevated=True)
    assert here.has_news
    news = here.news()
    assert news == [("1", 5, 2)]
    assert (here.has_news, here.news()) == (False, [])
    for account, count, ordinary in news:
        there.said_elsewhere(account, count, ordinary, 1.5)
    assert says(there, 2, 2.0) == ["fine", "ignored first"]


@pytest.mark.row("LIMIT-7")
def test_who_says_little_is_no_news() -> None:
    speech = Speech(SpeechTable(20, 20, 20, 100, seconds=30.0, penalty=60.0), shares=True)
    says(speech, 4, 0.0)
    assert not speech.has_news
    says(speech, 1, 1.0)
    assert speech.news() == [("1", 5, 5)]


@pytest.mark.row("LIMIT-7")
def test_what_others_told_is_not_told_again() -> None:
    speech = Speech(SMALL, shares=True)
    speech.said_elsewhere("1", 2, 2, 0.0)
    says(speech, 1, 1.0)
    assert speech.news() == [("1", 1, 1)]


@pytest.mark.row("LIMIT-7")
def test_ignored_by_others() -> None:
    speech = Speech(SMALL)
    speech.ignore("1", 600.0, 0.0)
    assert says(speech, 1, 599.0) == ["ignored"]


@pytest.mark.row("LIMIT-9")
def test_one_message_a_second_to_a_channel() -> None:
    speech = Speech(SpeechTable(20, 20, 20, 100, seconds=30.0, penalty=60.0, channel_interval=1.0))

    def say(channel: str, now: float, elevated: bool = False) -> Saying:
        return speech.say("1", "c1", "", channel, elevated, now)

    assert say("a", 0.0) is Saying.FINE
    assert say("b", 0.0) is Saying.FINE
    assert say("a", 0.9) is Saying.TOO_FAST
    assert say("", 0.9) is Saying.FINE  # a command
    assert say("a", 1.0) is Saying.FINE  # what was refused did not put it off
    assert say("a", 1.1, elevated=True) is Saying.FINE
    assert say("a", 29.5) is Saying.FINE
    assert say("a", 30.1) is Saying.TOO_FAST  # the buckets are full again, the channel's second is not over


# 2016 -------------------------------------------------------------------------------------------


@pytest.mark.row("LIMIT-8")
def test_the_22nd_message_elsewhere() -> None:
    speech = Speech(SPEECH["2016"])
    assert says(speech, 21, 0.0, elevated=True) == ["fine"] * 21
    assert says(speech, 1, 1.0) == ["locked out"]
    other = Speech(SPEECH["2016"])
    assert says(other, 20, 0.0) == ["fine"] * 20
    assert says(other, 81, 0.0, elevated=True) == ["fine"] * 80 + ["locked out"]


@pytest.mark.row("LIMIT-8")
def test_connections_are_counted_apart() -> None:
    speech = Speech(THEN, shares=True)
    assert says(speech, 3, 0.0, by="c1") == ["fine"] * 3
    assert says(speech, 4, 0.0, by="c2") == ["fine"] * 3 + ["locked out"]
    assert not speech.has_news


@pytest.mark.row("LIMIT-8")
def test_an_address_is_locked_out_for_a_while() -> None:
    speech = Speech(THEN)
    assert not speech.locked_out("192.0.2.1", 0.0)
    speech.lock_out("192.0.2.1", 600.0, 0.0)
    speech.lock_out("192.0.2.1", 10.0, 1.0)
    assert speech.locked_out("192.0.2.1", 599.9)
    assert not speech.locked_out("192.0.2.2", 1.0)
    assert not speech.locked_out("192.0.2.1", 600.0)


# whatever is said -------------------------------------------------------------------------------

STEPS = st.lists(st.tuples(st.floats(0.0, 20.0), st.booleans(), st.integers(1, 2)), max_size=80)


@given(STEPS)
def test_within_one_filling_nobody_says_more(steps: list[tuple[float, bool, int]]) -> None:
    """Whatever is said when, no 30 s hold more than two fillings, and an ignored account says nothing at all."""
    speech, now, fine, ignored_until = Speech(SMALL), 0.0, list[tuple[float, bool]](), 0.0
    for wait, elevated, connection in steps:
        now += wait
        saying = speech.say("1", f"c{connection}", "", "room", elevated, now)
        assert (now < ignored_until) == (saying is Saying.IGNORED)
        if saying is Saying.FINE:
            fine.append((now, elevated))
        elif saying is Saying.IGNORED_FIRST:
            ignored_until = now + SMALL.penalty
    for start, _ in fine:
        within = [elevated for at, elevated in fine if start <= at < start + SMALL.seconds]
        assert len(within) <= 2 * SMALL.elevated_messages
        assert within.count(False) <= 2 * SMALL.messages


@given(st.lists(st.tuples(st.floats(0.0, 20.0), st.booleans()), max_size=80))
def test_who_keeps_to_the_limit_is_never_stopped(steps: list[tuple[float, bool]]) -> None:
    """A client that counts for itself, over any 30 s, is never past a limit."""
    speech, now, said = Speech(SMALL), 0.0, list[tuple[float, bool]]()
    for wait, elevated in steps:
        now += wait
        lately = [was for at, was in said if at > now - SMALL.seconds]
        if len(lately) >= SMALL.elevated_messages or (not elevated and lately.count(False) >= SMALL.messages):
            continue
        said.append((now, elevated))
        assert speech.say("1", "c1", "", "room", elevated, now) is Saying.FINE


@given(st.lists(st.tuples(st.floats(0.0, 100.0), st.integers(0, 30)), max_size=60))
def test_nothing_is_kept_of_the_quiet(steps: list[tuple[float, int]]) -> None:
    speech, now = Speech(SMALL), 0.0
    for wait, account in steps:
        now += wait
        speech.say(str(account), "c1", "", "room", False, now)
    now += 2000.0
    assert speech.say("new", "c1", "", "room", False, now) is Saying.FINE
    speech.say("new", "c1", "", "room", False, now + 2000.0)
    assert speech.kept <= 2


# whispers ---------------------------------------------------------------------------------------


@pytest.mark.row("LIMIT-10")
def test_whispers() -> None:
    whispers = Whispers(WhisperTable())
    assert [whispers.whisper("1", "2", 0.0) for _ in range(4)] == [Whispering.FINE] * 3 + [Whispering.PER_SECOND]
    fine = [whispers.whisper("1", "2", 1.0 + number / 3) for number in range(97)]
    assert fine == [Whispering.FINE] * 97
    assert whispers.whisper("1", "2", 59.0) is Whispering.PER_MINUTE
    assert whispers.whisper("3", "2", 59.0) is Whispering.FINE
    assert whispers.whisper("1", "2", 60.0) is Whispering.FINE


@pytest.mark.row("LIMIT-10")
def test_recipients_of_a_day() -> None:
    whispers = Whispers(WhisperTable(recipients=2))
    assert whispers.whisper("1", "2", 0.0) is Whispering.FINE
    assert whispers.whisper("1", "3", 1.0) is Whispering.FINE
    assert whispers.whisper("1", "4", 2.0) is Whispering.RECIPIENTS
    assert whispers.whisper("1", "3", DAY - 1) is Whispering.FINE
    assert whispers.whisper("1", "4", DAY) is Whispering.FINE


@pytest.mark.row("LIMIT-10")
def test_recipients_in_2016() -> None:
    whispers = Whispers(whisper_table(LimitSettings(preset="2016")))
    assert {whispers.whisper("1", str(number), float(number)) for number in range(60)} == {Whispering.FINE}
