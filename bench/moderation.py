"""What moderators have done in Godwit's rooms before the load comes, so that each line is checked against something.

In every room an account is banned and one timed out, two moderate, and only followers may talk: who speaks follows the
room, so that the mode looks at each line and lets it pass. More bans would cost a line no more: they are looked up.
"""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from bench.targets import Target
from godwit.load.crowd import Crowd
from godwit.load.dialects import TAGGED

BANNED, TIMED_OUT = "benchbanned", "benchtimedout"

MODERATORS = ("benchmod1", "benchmod2")

ORDERS = (f"/ban {BANNED} bench", f"/timeout {TIMED_OUT} 2w bench", "/followers")
"""What the owner of a room says in it."""

DONE = (b"msg-id=ban_success", b"msg-id=timeout_success", b"msg-id=followers_on")

AT_ONCE = 50
"""Owners that are there at the same time."""

LOOK = 0.2
"""Seconds between two looks at whether a server rests, which is when it uses a twentieth of a core."""

PATIENCE = 30.0

ROWS = 1000
"""Rows of one request."""


class Unmoderated(Exception):
    """A room could not be furnished; the message holds what the server said."""


def furnish(target: Target, crowd: Crowd) -> None:
    """Furnish the rooms of a crowd that has not come in yet, those that are not; the server is a Godwit."""
    speakers = list(crowd.speakers())
    rooms = sorted({room for room, _ in speakers} - target.furnished)
    _bring(target, "accounts", [{"login": login} for login in (BANNED, TIMED_OUT, *MODERATORS, *rooms)])
    mods = [{"channel": room, "login": login, "role": "mod"} for room in rooms for login in MODERATORS]
    _bring(target, "roles", mods)
    _bring(target, "followers", [{"channel": room, "login": login} for room, login in speakers])
    for first in range(0, len(rooms), AT_ONCE):
        _order(target, rooms[first : first + AT_ONCE])
    target.furnished.update(rooms)
    _rest(target)


def _rest(target: Target) -> None:
    """Wait until a server has done what it does after all that."""
    end = time.monotonic() + PATIENCE
    used = target.cpu()
    while time.monotonic() < end:
        time.sleep(LOOK)
        before, used = used, target.cpu()
        if used - before < LOOK / 20:
            return


def _bring(target: Target, what: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Import rows by the operator's API; accounts that are not there are added."""
    headers = {"Authorization": f"Bearer {target.ready['admin_token']}", "Content-Type": "application/jsonl"}
    api = http.client.HTTPConnection(urlsplit(target.ready["api"]).netloc, timeout=60)
    try:
        for first in range(0, len(rows), ROWS):
            body = "".join(json.dumps(row) + "\n" for row in rows[first : first + ROWS])
            api.request("POST", f"/import/{what}?by=bench&add=true", body, headers)
            answer = api.getresponse()
            said = answer.read()
            if answer.status != 200 or json.loads(said)["refused_count"]:
                raise Unmoderated(f"{what}: {said[:500].decode()}")
    finally:
        api.close()


def _order(target: Target, rooms: Sequence[str]) -> None:
    """Have the owners of rooms, who are called as these are, give their orders."""
    host, _, port = target.tcp.rpartition(":")
    owners = [socket.create_connection((host, int(port)), 60) for _ in rooms]
    try:
        for owner, room in zip(owners, rooms, strict=True):
            lines = [f"PASS oauth:{room}", f"NICK {room}", *(f"PRIVMSG #{room} :{order}" for order in ORDERS)]
            owner.sendall(TAGGED + "".join(f"{line}\r\n" for line in lines).encode())
        for owner, room in zip(owners, rooms, strict=True):
            heard = b""
            while sum(map(heard.count, DONE)) < len(ORDERS):
                data = owner.recv(65536)
                heard += data
                if not data:
                    raise Unmoderated(f"{room}: {heard[-500:].decode()}")
    except TimeoutError as error:
        raise Unmoderated("an owner's orders were not followed") from error
    finally:
        for owner in owners:
            owner.close()
