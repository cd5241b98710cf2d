"""Following a rollout on a terminal; lines and JSON are in test_rollout.py."""

from __future__ import annotations

import io

from rich.console import Console

from godwit.cli.api import Api
from godwit.cli.watch import follow
from tests.cli.conftest import TOKEN
from tests.cli.fake import FakeApi
from tests.cli.samples import STATUS


def test_it_is_drawn_again_at_each_change(fake: FakeApi) -> None:
    """Until it ends; the last picture stays."""
    fake.says("GET", "/rollouts/r1", STATUS, {**STATUS, "done": 70}, {**STATUS, "done": 5000, "state": "finished"})
    screen = io.StringIO()
    follow(Api(fake.url, TOKEN), "r1", as_json=False, console=Console(file=screen, force_terminal=True, width=100))
    counts = ("69 of 5,000", "70 of 5,000", "5,000 of 5,000")
    places = [screen.getvalue().index(count) for count in counts]
    assert places == sorted(places)


def test_each_question_waits_for_something_new(fake: FakeApi) -> None:
    """With the version of the last answer."""
    fake.says("GET", "/rollouts/r1", STATUS, {**STATUS, "state": "aborted"})
    follow(Api(fake.url, TOKEN), "r1", as_json=True)
    first, second = fake.to("GET", "/rollouts/r1")
    assert first.query == {}
    assert second.query == {"wait": "10", "version": STATUS["version"]}
