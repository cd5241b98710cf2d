"""What operators know of channels, by HTTP (HTTP-facts)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from godwit.rollout.values import Facts, Hold
from godwit.web import facts as facts_module
from godwit.web.rows import LONGEST_LINE, lines_of
from tests.web.conftest import World
from tests.web.test_directory import one_line_error

pytestmark = pytest.mark.row("HTTP-facts")


async def known(world: World, channel: str) -> Facts:
    """What the store knows."""
    return (await world.store.candidates_of([channel]))[0].facts


async def bring(http: httpx.AsyncClient, text: str | bytes, kind: str = "", query: str = "") -> httpx.Response:
    """Import."""
    content = text.encode() if isinstance(text, str) else text
    return await http.post(f"/channels/import{query}", content=content, headers={"Content-Type": kind} if kind else {})


async def test_facts_of_one_channel(world: World, http: httpx.AsyncClient) -> None:
    """What is named is changed, the rest stays; the audit says what, and the controller looks again."""
    nothing = {"channel": "alice", "tier": "", "opt": "", "members": 0, "rate": 0.0, "starts_at": 0.0}
    assert (await http.get("/channels/%23Alice/facts")).json() == nothing
    await http.put("/channels/alice/facts", json={"tier": "partner", "members": 100, "by": "carol"})
    answer = await http.put("/channels/alice/facts", json={"opt": "in", "starts_at": 5.5})
    told = {"channel": "alice", "tier": "partner", "opt": "in", "members": 100, "rate": 0.0, "starts_at": 5.5}
    assert answer.json() == told
    assert (await http.get("/channels/alice/facts")).json() == told
    assert (await http.put("/channels/alice/facts", json={"opt": ""})).json()["opt"] == ""
    last = (await world.store.audit_log())[-1]
    assert (last.actor, last.action, last.subject) == ("carol", "facts", "alice")
    assert last.details == "tier 'partner', members 100"
    assert len(world.wishes) == 3


@pytest.mark.parametrize(
    "body", [{"tier": "gold"}, {"opt": "maybe"}, {"members": -1}, {"rate": "fast"}, {"colour": "red"}, {"by": ""}]
)
async def test_facts_that_cannot_be(world: World, http: httpx.AsyncClient, body: dict[str, Any]) -> None:
    """400, one line, and nothing is changed."""
    response = await http.put("/channels/alice/facts", json=body)
    assert response.status_code == 400
    one_line_error(response)
    assert await known(world, "alice") == Facts("alice")
    assert not world.wishes


async def test_json_lines(world: World, http: httpx.AsyncClient) -> None:
    """A channel a line; empty lines say nothing."""
    text = '\n{"channel": "#Alice", "tier": "staff"}\r\n\n{"channel": "bob", "members": 40, "rate": 0.5}'
    assert (await bring(http, text, query="?by=carol")).json() == {"imported": 2, "refused": [], "refused_count": 0}
    assert await known(world, "alice") == Facts("alice", tier="staff")
    assert await known(world, "bob") == Facts("bob", members=40, rate=0.5)
    last = (await world.store.audit_log())[0]
    assert (last.actor, last.action, last.details) == ("carol", "facts import", "2 rows, 0 refused")
    assert len(world.wishes) == 1


async def test_csv(world: World, http: httpx.AsyncClient) -> None:
    """With a heading; an empty number says nothing, an empty tier or opt that there is none."""
    await world.store.set_facts([Facts("alice", tier="staff", opt="out", members=9, rate=2.0)])
    text = '\ufeffChannel, tier ,members\r\nalice,,\r\n"#bob",partner,"40"\r\n'
    assert (await bring(http, text, "text/csv")).json()["imported"] == 2
    assert await known(world, "alice") == Facts("alice", opt="out", members=9, rate=2.0)
    assert await known(world, "bob") == Facts("bob", tier="partner", members=40)


async def test_of_a_channel_that_comes_twice_all_is_taken_the_later_over_the_earlier(
    world: World, http: httpx.AsyncClient
) -> None:
    """As if each row had been sent by itself."""
    rows = [
        {"channel": "alice", "tier": "staff"},
        {"channel": "alice", "members": 1},
        {"channel": "alice", "members": 2},
    ]
    await bring(http, "\n".join(map(json.dumps, rows)), "application/jsonl")
    assert await known(world, "alice") == Facts("alice", tier="staff", members=2)


@pytest.mark.parametrize(
    ("kind", "row", "hint"),
    [
        ("application/jsonl", b"{", "not JSON"),
        ("application/jsonl", b"[1]", "not a JSON object"),
        ("application/jsonl", b"{}", "no channel"),
        ("application/jsonl", b'{"channel": 5}', "no channel"),
        ("application/jsonl", b'{"channel": "a b"}', "cannot be a channel"),
        ("application/jsonl", b'{"channel": "bob", "tier": "gold"}', "tier"),
        ("application/jsonl", b'{"channel": "bob", "colour": "red"}', "colour"),
        ("application/jsonl", b'{"channel": "bob", "rate": NaN}', "rate"),
        ("application/jsonl", b"\xff", "not UTF-8"),
        ("application/jsonl", b'{"channel": "' + b"x" * 20_000, "longer than"),
        ("text/csv", b"bob", "1 cells"),
        ("text/csv", b"bob,many", "members"),
        ("text/csv", b'"bob"x,1', "not CSV"),
    ],
)
async def test_a_row_that_cannot_be_is_told_with_its_line(
    world: World, http: httpx.AsyncClient, kind: str, row: bytes, hint: str
) -> None:
    """The others are written."""
    first = b"channel,members\n" if kind == "text/csv" else b"\n"
    good = b"carol,1" if kind == "text/csv" else b'{"channel": "carol", "members": 1}'
    response = await bring(http, first + row + b"\n" + good + b"\n", kind)
    assert response.status_code == 200
    body = response.json()
    assert (body["imported"], body["refused_count"]) == (1, 1)
    assert body["refused"][0]["line"] == 2
    assert hint in body["refused"][0]["error"]
    assert await known(world, "carol") == Facts("carol", members=1)


@pytest.mark.parametrize("heading", ["name,tier", "channel,colour", "channel,channel", "tier", "alice,staff"])
async def test_a_heading_that_cannot_be_is_refused(http: httpx.AsyncClient, heading: str) -> None:
    """400, with one that can."""
    response = await bring(http, f"{heading}\nalice,staff\n", "text/csv")
    assert response.status_code == 400
    assert "channel,tier,opt,members,rate,starts_at" in one_line_error(response)


async def test_nothing_is_brought_in(world: World, http: httpx.AsyncClient) -> None:
    """An empty body is no fault."""
    assert (await bring(http, "")).json() == {"imported": 0, "refused": [], "refused_count": 0}
    assert not (await world.store.audit_log())


async def test_many_rows_are_written_in_pieces(
    world: World, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And only some of the refused ones are told one by one."""
    monkeypatch.setattr(facts_module, "AT_ONCE", 10)
    monkeypatch.setattr(facts_module, "TOLD", 3)
    rows = [json.dumps({"channel": f"channel{number}", "members": number}) for number in range(25)] + ["x"] * 5
    body = (await bring(http, "\n".join(rows), "application/jsonl")).json()
    assert (body["imported"], body["refused_count"]) == (25, 5)
    assert [row["line"] for row in body["refused"]] == [26, 27, 28]
    assert len(world.wishes) == 3
    assert await known(world, "channel24") == Facts("channel24", members=24)


async def test_lines_are_cut_out_of_whatever_pieces_come() -> None:
    """And one without an end does not fill the memory."""

    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b"ab", b"c\nde\n\nf", b"g", b"\n", b"x" * 50_000, b"y" * 50_000, b"\nlast"):
            yield piece

    lines = [line async for line in lines_of(pieces())]
    assert lines[:4] == [b"abc", b"de", b"", b"fg"]
    assert LONGEST_LINE < len(lines[4]) < 70_000
    assert lines[5] == b"last"


async def test_holds(world: World, http: httpx.AsyncClient) -> None:
    """By channel."""
    await world.store.hold(Hold("bob", "carol", "a tournament", 2.0))
    await world.store.hold(Hold("alice", "erin", "why not", 1.0))
    rows = (await http.get("/holds")).json()["holds"]
    assert [row["channel"] for row in rows] == ["alice", "bob"]
    assert rows[1] == {"channel": "bob", "by": "carol", "reason": "a tournament", "time": 2.0}


async def test_rows_that_nobody_could_write_down(world: World, http: httpx.AsyncClient) -> None:
    """Refused with their lines, whatever is in them; the others are written."""
    rows = ["[" * 9000, '{"channel": "alice", "\\ud800": 1}', '{"channel": "alice", "opt": "\\udce9"}']
    response = await bring(http, "\n".join([*rows, '{"channel": "bob", "members": 40}']), "application/jsonl")
    assert response.status_code == 200
    body = response.json()
    assert (body["imported"], [row["line"] for row in body["refused"]]) == (1, [1, 2, 3])
    assert await known(world, "bob") == Facts("bob", members=40)
