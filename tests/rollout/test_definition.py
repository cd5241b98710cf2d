"""Rollout files: what they become, what is refused with which line, and what is written."""

from __future__ import annotations

import tomllib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from godwit.errors import InvalidRequest
from godwit.rollout.definition import dump, duration, parse
from godwit.rollout.gates import COUNTED, KINDS
from godwit.rollout.keys import seconds
from godwit.rollout.values import Budget, Definition, Gate, Wave

HEAD = 'name = "to-aws"\nto = "aws"\n'
SMALL = HEAD + '[[wave]]\nname = "staff"\ntiers = ["staff"]\n'

WHOLE = """
name = "to-aws"
to = "aws"
from = ["main", "event"]
reason = "the old machines retire"
offline_for = "15m"
starts_within = 60
notice = "This channel moves to {cluster}."
notice_before = "1m30s"

[[wave]]
name = "staff"
channels = ["#Ann", "bob", "ann"]
on_failure = "reverse"

[[wave.gate]]
kind = "approval"

[[wave]]
name = "partners"
tiers = ["partner", "affiliate"]
opt_in = true
percent = 12.5
min_members = 1
max_members = 500
match = " members < 100 "

[[wave.gate]]
kind = "prometheus"
name = "errors"
value = "sum(rate(errors[5m]))"
at_most = 0.1
critical = 5
every = 5
samples = 10
fails = 4
timeout = "3s"

[[wave.gate]]
kind = "soak"
seconds = "30m"

[[wave.gate]]
kind = "soak"
seconds = 5

[[wave]]
name = "everyone"
rest = true
mandatory = true

[budget]
in_flight = 40
hot_per_second = 2
"""


def faults(text: str, **options: Any) -> list[str]:
    """What is wrong with a file, without its name: `line: what`."""
    with pytest.raises(InvalidRequest) as refused:
        parse(text, **options)
    lines = str(refused.value).splitlines()
    assert all(line.startswith("rollout.toml:") for line in lines)
    return [line.removeprefix("rollout.toml:") for line in lines]


def wave_faults(keys: str, **options: Any) -> list[str]:
    """What is wrong with a wave whose keys begin on line 5."""
    return faults(f'{HEAD}[[wave]]\nname = "w"\n{keys}', **options)


def gate_faults(keys: str, **options: Any) -> list[str]:
    """What is wrong with a gate whose keys begin on line 7."""
    found = faults(f'{HEAD}[[wave]]\nname = "w"\nrest = true\n[[wave.gate]]\n{keys}', **options)
    return [fault.replace("wave 'w', ", "") for fault in found]


def gate(keys: str) -> Gate:
    return parse(f'{HEAD}[[wave]]\nname = "w"\nrest = true\n[[wave.gate]]\n{keys}').waves[0].gates[0]


def test_a_file_becomes_a_definition() -> None:
    assert parse(WHOLE) == Definition(
        name="to-aws",
        to="aws",
        sources=("main", "event"),
        reason="the old machines retire",
        offline_for=900,
        starts_within=60,
        notice="This channel moves to {cluster}.",
        notice_before=90,
        budget=Budget(in_flight=40, hot_per_second=2),
        waves=(
            Wave(
                "staff", channels=("ann", "bob"), on_failure="reverse", gates=(Gate("approval", "approval", "before"),)
            ),
            Wave(
                "partners",
                tiers=("partner", "affiliate"),
                opt_in=True,
                percent=12.5,
                min_members=1,
                max_members=500,
                match="members < 100",
                gates=(
                    Gate(
                        "prometheus",
                        "errors",
                        "during",
                        value="sum(rate(errors[5m]))",
                        at_most=0.1,
                        critical=5,
                        every=5,
                        samples=10,
                        fails=4,
                        timeout=3,
                    ),
                    Gate("soak", "soak", "after", seconds=1800),
                    Gate("soak", "soak-2", "after", seconds=5),
                ),
            ),
            Wave("everyone", rest=True, mandatory=True),
        ),
    )


def test_defaults_are_those_of_the_values() -> None:
    assert parse(SMALL) == Definition("to-aws", "aws", (Wave("staff", tiers=("staff",)),))


def test_the_fault_that_the_guide_quotes() -> None:
    text = HEAD + "\n" * 7 + '[[wave]]\nname = "partners"\npercent = 120\n'
    with pytest.raises(InvalidRequest) as refused:
        parse(text, "rollout.toml")
    assert str(refused.value) == ("rollout.toml:12: wave 'partners': percent must be between 0 and 100, not 120")


def test_all_faults_are_told_in_the_order_of_lines() -> None:
    waves = '[[wave]]\npercent = true\n[[wave]]\nname = "b"\nrest = true\n[[wave]]\nname = "b"\nopt_in = 1\n'
    assert faults(f"{waves}[budgt]\nx = 1\n") == [
        "1: name is missing: How people speak of the rollout.",
        "1: to is missing: The cluster that channels go to.",
        "1: wave 1: name is missing: How people speak of the wave.",
        "2: wave 1: percent must be between 0 and 100, not true",
        "5: wave 'b': rest must be in the last wave",
        "7: there are two waves 'b': choose another name",
        "8: wave 'b': opt_in must be true or false, not 1",
        "9: unknown key 'budgt': did you mean 'budget'?",
    ]


def test_a_great_many_faults_are_counted() -> None:
    found = wave_faults("channels = [" + ", ".join(["'a b'"] * 150) + "]")
    assert len(found) == 101
    assert found[-1] == " 50 more faults"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("name = \n", "1: this is not TOML, column 8: invalid value"),
        ("\n\nname = [1\n\n", "3: this is not TOML: unclosed array"),
        ('name = "a"\nname = "b"\n', "2: this is not TOML, column 11: cannot overwrite a value"),
        ("a = " + "[" * 5000, "1: it is nested too deeply to be a rollout"),
    ],
)
def test_what_is_no_toml_is_refused_with_its_line(text: str, fault: str) -> None:
    assert faults(text) == [fault]


def test_numbers_beyond_reading_are_refused() -> None:
    assert len(faults(f"name = 1{'0' * 5000}")) == 1
    assert "in_flight must be" in faults(f"{SMALL}[budget]\nin_flight = 1{'0' * 500}")[0]
    assert "offline_for must be" in faults(f"offline_for = 1{'0' * 500}\n{SMALL}")[0]
    assert "at_most must be" in gate_faults(f'kind = "metric"\nvalue = "x"\nat_most = 1{"0" * 500}')[0]


def test_a_text_that_cannot_be_sent_is_refused() -> None:
    assert "cannot be read" in faults('name = "\ud800"')[0]


def test_a_mark_of_byte_order_is_passed_over() -> None:
    assert parse("\ufeff" + SMALL) == parse(SMALL)


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ('name = "a b"', "1: name must be 1 to 64 of"),
        ('name = "latest"', "1: name must be another name"),
        ("name = 3", "1: name must be 1 to 64 of"),
        ('to = "group"', "1: to must be a cluster for channels"),
        ('from = "main"', '1: from must be a list of clusters with at least one in it, not "main"'),
        ("from = []", "1: from must be a list of clusters with at least one in it, not []"),
        ('from = ["main",\n "aws"]', "1: from must not name 'aws', where the channels go"),
        ('from = ["main",\n 3]', "2: from must be 1 to 64 of"),
        ('offline_for = "soon"', "1: offline_for must be a time"),
        ('offline_for = ""', "1: offline_for must be a time"),
        ("offline_for = -1", "1: offline_for must be a time"),
        ("offline_for = inf", "1: offline_for must be a time"),
        ("offline_for = nan", "1: offline_for must be a time"),
        ('offline_for = "400d"', "1: offline_for must be a time"),
        ("offline_for = 1979-05-27", "1: offline_for must be a time"),
        ('notice = "to {place}"', "1: notice must have no braces but {cluster} (found {place})"),
        ('notice = "to {cluster"', "1: notice must have no braces but {cluster} (found {cluster)"),
        ('notice = "a\\nb"', "1: notice must be one line"),
        ("reason = 3", "1: reason must be a text"),
        ("evacuate = true", "1: evacuate needs from"),
        ("budget = 3", "1: budget must be a table"),
        ("wave = 3", "1: wave must be written as [[wave]]"),
        ("wave = []", "1: at least one wave is needed"),
        ("budget.in_flight = 0", "1: budget: in_flight must be a whole number between 1 and"),
        ("budget.in_flight = 1.5", "1: budget: in_flight must be a whole number between 1 and"),
        ("budget.hot_per_second = 0", "1: budget: hot_per_second must be between 0.001 and"),
        ("budget.cold_per_secnd = 1", "1: budget: unknown key 'cold_per_secnd': did you mean 'cold_per_second'?"),
    ],
)
def test_keys_of_the_rollout_that_are_refused(keys: str, fault: str) -> None:
    key = keys.split(" ")[0]
    head = "".join(f"{line}\n" for line in HEAD.splitlines() if not line.startswith(f"{key} "))
    text = f"{keys}\n{head}" + ("" if key == "wave" else '[[wave]]\nname = "w"\nrest = true\n')
    found = faults(text)
    assert found[0].startswith(fault)
    assert len(found) == 1


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ("", "3: wave 'w': it chooses no channels: give channels, "),
        ("opt_in = false", "3: wave 'w': it chooses no channels"),
        ("channels = []", "5: wave 'w': channels must be a list of channels with at least one"),
        ('channels = ["ann",\n\n "a b"]', "7: wave 'w': channels must be names of 1 to 25"),
        ('channels = ["ann", 3]', "5: wave 'w': channels must be names of 1 to 25"),
        ('tiers = ["partner", "admin"]', "5: wave 'w': tiers must be among \"staff\""),
        ("tiers = [[1]]", "5: wave 'w': tiers must be among"),
        ("percent = -1", "5: wave 'w': percent must be between 0 and 100, not -1"),
        ("percent = nan", "5: wave 'w': percent must be between 0 and 100"),
        ('percent = "50%"', "5: wave 'w': percent must be between 0 and 100"),
        ("min_members = 5\nmax_members = 4", "5: wave 'w': min_members must be at most max_members, 4, not 5"),
        (
            'match = "member < 3"',
            "5: wave 'w': match must be a condition over facts: 'member' is no fact: did you mean",
        ),
        ('match = ""', "5: wave 'w': match must not be empty"),
        ("rest = true\npercent = 3", "5: wave 'w': rest takes all that is left: leave out percent"),
        (
            'rest = true\non_failure = "pase"',
            "6: wave 'w': on_failure must be one of pause, reverse, continue (did you",
        ),
        ('file = "staff.txt"', "5: wave 'w': file can only be read where it lies"),
        ("rest = true\ngate = 3", "6: wave 'w': gate must be written as [[wave.gate]]"),
        ("rest = true\n[[wave.gat]]\n", "6: wave 'w': unknown key 'gat': did you mean 'gate'?"),
    ],
)
def test_keys_of_a_wave_that_are_refused(keys: str, fault: str) -> None:
    found = wave_faults(keys)
    assert found[0].startswith(fault)
    assert len(found) == 1


def test_too_many_waves_are_refused() -> None:
    waves = "".join(f'[[wave]]\nname = "w{number}"\ntiers = ["staff"]\n' for number in range(101))
    assert faults(HEAD + waves)[0].startswith("303: at most 100 of [[wave]]")


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ('value = "x"', "6: gate 1: kind is missing"),
        ('kind = "metrics"', "7: gate 'metrics': kind must be one of approval, "),
        ('kind = "soak"', "6: gate 'soak': seconds is missing: how long to wait"),
        ('kind = "soak"\nseconds = 0', "8: gate 'soak': seconds must be at least 0.1"),
        (
            'kind = "soak"\nseconds = 1\nvalue = "x"',
            "9: gate 'soak': a gate of kind soak takes no value: it takes kind",
        ),
        ('kind = "approval"\nwhen = "during"', "8: gate 'approval': when must be before or after"),
        ('kind = "approval"\nwhen = "befor"', "8: gate 'approval': when must be one of before, during, after"),
        ('kind = "metric"\nat_most = 1', "6: gate 'metric': value is missing: the metric's name"),
        ('kind = "metric"\nvalue = "p99"', "6: gate 'metric': a bound is missing: give at_most or at_least"),
        ('kind = "metric"\nvalue = ""\nat_most = 1', "8: gate 'metric': value must not be empty"),
        ('kind = "probe"\nvalue = "p98"\nat_most = 1', "8: gate 'probe': value 'p98' is not known: did you mean 'p9"),
        ('kind = "probe"\nvalue = "p99"\nat_most = "1"', "9: gate 'probe': at_most must be a number"),
        ('kind = "http"\nvalue = "ftp://x"', "8: gate 'http': value must be a URL"),
        ('kind = "http"\nvalue = "http://x"\nat_most = 1', "9: gate 'http': a gate of kind http takes no at_most"),
        (
            'kind = "metric"\nname = "p"\nvalue = "x"\nat_most = 1\nat_least = 2',
            "11: gate 'p': at_least must not be above at_most, 1",
        ),
        (
            'kind = "metric"\nvalue = "x"\nat_most = 3\ncritical = 2',
            "10: gate 'metric': critical must not be below at_m",
        ),
        (
            'kind = "metric"\nvalue = "x"\nat_most = 3\nfails = 6',
            "10: gate 'metric': fails must be at most samples, 5, ",
        ),
        ('kind = "metric"\nvalue = "x"\nat_most = 3\nevery = 0', "10: gate 'metric': every must be at least 0.1"),
        ('kind = "approval"\n[[wave.gate]]\nkind = "issues"\nname = "approval"', None),
    ],
)
def test_keys_of_a_gate_that_are_refused(keys: str, fault: str | None) -> None:
    if fault is None:
        assert gate(keys).name == "approval-2"
        return
    found = gate_faults(keys)
    assert found[0].startswith(fault)
    assert len(found) == 1


def test_two_gates_of_one_name_are_refused() -> None:
    keys = 'kind = "approval"\nname = "ok"\n[[wave.gate]]\nkind = "issues"\nname = "ok"'
    assert gate_faults(keys) == ["11: wave 'w': there are two gates 'ok': choose another name"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_gate_of_each_kind_can_be_written(kind: str) -> None:
    row = KINDS[kind]  # type: ignore[index]
    value = row.values[0] if row.values else "https://gate.example.net/" if kind == "http" else "words"
    keys = f'kind = "{kind}"\n'
    keys += f'value = "{value}"\n' if row.value else ""
    keys += "at_least = 1\n" if row.bound else ""
    keys += "seconds = 60\n" if kind == "soak" else ""
    made = gate(keys)
    assert (made.kind, made.name, made.when) == (kind, kind, row.when)
    assert (made.samples, made.fails) == (row.samples, row.fails)


@pytest.mark.parametrize("value", COUNTED)
def test_what_a_probe_counts_must_not_happen(value: str) -> None:
    assert gate(f'kind = "probe"\nvalue = "{value}"').at_most == 0
    assert gate(f'kind = "probe"\nvalue = "{value}"\nat_most = 2').at_most == 2


def test_a_round_trip_goes_before_its_wave_once() -> None:
    made = gate('kind = "probe"\nvalue = "round_trip"')
    assert (made.when, made.samples, made.fails) == ("before", 1, 1)


def test_who_followed_is_asked_after_the_moves() -> None:
    keys = 'kind = "metric"\nvalue = "followed"\nat_least = 0.9'
    assert gate(keys).when == "after"
    assert gate_faults(keys + '\nwhen = "during"') == [
        "10: gate 'metric': when must be after: nobody has followed before channels have moved"
    ]


def test_fails_are_never_more_than_samples_unless_somebody_says_so() -> None:
    assert gate('kind = "metric"\nvalue = "x"\nat_most = 1\nsamples = 2').fails == 2


def test_clusters_and_metrics_are_checked_where_they_are_known() -> None:
    found = faults('from = ["mian"]\n' + SMALL, clusters=["main", "aws"])
    assert found == ["1: from: there is no cluster 'mian': did you mean 'main'?"]
    keys = 'kind = "metric"\nvalue = "delivery_p9"\nat_most = 1'
    assert gate_faults(keys, metrics=["delivery_p99"]) == [
        "8: gate 'metric': value 'delivery_p9' is not known: did you mean 'delivery_p99'?"
    ]


# files of channels --------------------------------------------------------------------------------


def test_a_file_of_channels_joins_those_that_are_named() -> None:
    files = {"staff.txt": "\ufeff# the staff\n#Ann\n\n  bob \n#\n#\ttabs\nann\n"}
    wave = parse(f'{HEAD}[[wave]]\nname = "w"\nchannels = ["cid"]\nfile = "staff.txt"\n', read=files.__getitem__).waves[
        0
    ]
    assert wave.channels == ("cid", "ann", "bob")


def test_faults_of_a_file_of_channels_have_its_lines() -> None:
    text = f'{HEAD}[[wave]]\nname = "w"\nfile = "staff.txt"\npercent = 101\n'
    with pytest.raises(InvalidRequest) as refused:
        parse(text, read=lambda name: "ann\na b\n")
    assert str(refused.value).splitlines() == [
        "staff.txt:2: wave 'w': channels must be names of 1 to 25 of a-z, 0-9 and _, not \"a b\"",
        "rollout.toml:6: wave 'w': percent must be between 0 and 100, not 101",
    ]


def test_a_file_without_a_channel_chooses_not_everybody() -> None:
    assert wave_faults('file = "staff.txt"', read=lambda name: "# none\n") == [
        "5: wave 'w': file 'staff.txt' names no channel"
    ]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (FileNotFoundError(2, "No such file"), "No such file"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), "invalid start byte"),
        (InvalidRequest("it is too large"), "it is too large"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(error: Exception, reason: str) -> None:
    def read(name: str) -> str:
        raise error

    (found,) = wave_faults('file = "staff.txt"', read=read)
    assert found.startswith("5: wave 'w': file 'staff.txt' cannot be read: ")
    assert reason in found


# writing ------------------------------------------------------------------------------------------


def test_what_is_written_is_what_people_write() -> None:
    definition = parse(WHOLE)
    written = dump(definition)
    assert parse(written) == definition
    assert dump(parse(written)) == written
    assert written.startswith('name = "to-aws"\nto = "aws"\nfrom = ["main", "event"]\n')
    assert 'offline_for = "15m"' in written
    assert "cold_in_flight" not in written


def test_long_lists_are_written_a_name_a_line() -> None:
    names = tuple(f"channel_{number}" for number in range(50))
    written = dump(Definition("r", "aws", (Wave("w", channels=names),)))
    assert '\n  "channel_7",\n' in written
    assert parse(written).waves[0].channels == names


@pytest.mark.parametrize(
    ("text", "number"),
    [("90s", 90), ("10m", 600), ("1h30m", 5400), ("2d", 172800), ("1.5s", 1.5), (7, 7), (0.25, 0.25)],
)
def test_times(text: str | float, number: float) -> None:
    assert seconds(text) == number


@given(st.one_of(st.integers(0, 366 * 86400).map(float), st.floats(0, 1000)))
def test_times_are_written_as_they_are_read(number: float) -> None:
    assert seconds(tomllib.loads(f"x = {duration(number)}")["x"]) == number


names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,10}", fullmatch=True).filter(lambda name: name != "latest")
logins = st.from_regex(r"[a-z0-9_]{1,25}", fullmatch=True)
times = st.integers(1, 10**6).map(float)
texts = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=20).filter(str.isprintable)
bounds = st.floats(-1e6, 1e6)


@st.composite
def gates(draw: st.DrawFn) -> Gate:
    kind = draw(st.sampled_from(sorted(KINDS)))
    row = KINDS[kind]
    made = Gate(kind, draw(names), draw(st.sampled_from(row.times)))
    changes: dict[str, Any] = {"samples": row.samples, "fails": row.fails, "seconds": row.seconds}
    if row.value:
        known = [value for value in row.values if value != "round_trip"]
        changes["value"] = draw(st.sampled_from(known)) if known else "http://" + draw(names)
    if row.bound:
        changes["at_most"] = draw(bounds)
    for key in row.keys:
        if key in ("seconds", "every", "timeout"):
            changes[key] = draw(times)
        elif key == "samples":
            changes |= {"samples": draw(st.integers(3, 9)), "fails": draw(st.integers(1, 3))}
    return msgspec.structs.replace(made, **changes)


@st.composite
def definitions(draw: st.DrawFn) -> Definition:
    waves = [
        Wave(
            name,
            channels=tuple(draw(st.lists(logins, min_size=1, max_size=4, unique=True))),
            tiers=tuple(draw(st.lists(st.sampled_from(["", "staff", "partner"]), max_size=2, unique=True))),
            opt_in=draw(st.booleans()),
            percent=draw(st.none() | st.floats(0, 100)),
            min_members=draw(st.none() | st.integers(0, 10)),
            max_members=draw(st.none() | st.integers(10, 20)),
            match=draw(st.sampled_from(["", "members < 3", 'startswith(channel, "\\\\\'")'])),
            mandatory=draw(st.booleans()),
            on_failure=draw(st.sampled_from(["pause", "reverse", "continue"])),
            gates=tuple(draw(st.lists(gates(), max_size=3, unique_by=lambda made: made.name))),
        )
        for name in draw(st.lists(names, min_size=1, max_size=3, unique=True))
    ]
    sources = draw(st.lists(names.map(lambda name: f"x{name}"), max_size=2, unique=True))
    return Definition(
        name=draw(names),
        to="aws",
        sources=tuple(sources),
        reason=draw(texts),
        notice=draw(texts).replace("{", "").replace("}", ""),
        waves=(*waves, Wave("the-rest-of-all", rest=True))[: draw(st.integers(1, len(waves) + 1))],
        budget=Budget(draw(st.integers(1, 100)), cold_per_second=draw(st.floats(0.01, 1000))),
        offline_for=draw(times),
        evacuate=bool(sources) and draw(st.booleans()),
    )


@given(definitions())
def test_any_definition_survives_writing_and_reading(definition: Definition) -> None:
    assert parse(dump(definition)) == definition
