"""What `godwit serve` tells whoever started it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table

from godwit.cli.ready import VARIABLE
from godwit.settings import Settings

OPEN = (
    "Authentication is open: any valid nick with any oauth: token may log in, exists, and owns the channel of its "
    "name. Only this machine can connect."
)
TOKENS = "Authentication is by tokens: godwit account add NICK, then godwit account token NICK."
OTHERS = "Authentication is by {source}, or by tokens: godwit account add NICK, then godwit account token NICK."


def show(settings: Settings, told: Mapping[str, Any], ready_file: Path, console: Console | None = None) -> None:
    """Print what listens where, and what to try next.

    Args:
        told: what the ready file says.
    """
    target = console or Console()
    target.print(_table(told))
    for line in _lines(settings, told, ready_file):
        # Made for pasting: no colours, and no line is broken.
        target.print(line, markup=False, highlight=False, soft_wrap=True)


def _table(told: Mapping[str, Any]) -> Table:
    table = Table(title="What listens where")
    for heading in ("cluster", "TCP", "TLS", "WebSocket"):
        table.add_column(heading, overflow="fold")
    for name, cluster in told["clusters"].items():
        websocket = "\n".join(filter(None, (cluster.get("ws"), cluster.get("wss"))))
        table.add_row(name, cluster.get("tcp") or "-", cluster.get("tls") or "-", websocket or "-")
    return table


def _lines(settings: Settings, told: Mapping[str, Any], ready_file: Path) -> list[str]:
    first = next(iter(told["clusters"]))
    other = next((name for name in told["clusters"] if name != first), first)
    is_open = settings.auth.mode == "open"
    lines = [
        f"Directory and API: {told['api']} (try {told['api']}/servers?channel=alice; described in /openapi.json)",
        f"Ready file: {ready_file} (holds the admin token)",
        _authentication(settings),
        "",
        "Try next, in other terminals:",
        f"  export {VARIABLE}={quote(str(ready_file))}",
        f"  godwit chat '#alice' --nick bob{'' if is_open else ' --password oauth:TOKEN'}",
        f"  godwit channel move '#alice' --to {other}",
    ]
    ws = told["clusters"][first].get("ws")
    return [*lines, *_snippet(ws, "oauth:anything" if is_open else "oauth:TOKEN")] if ws else lines


def _authentication(settings: Settings) -> str:
    auth = settings.auth
    if auth.mode == "open":
        return OPEN
    sources = {"jwt": f"tokens that the keys in {auth.jwks} have signed", "webhook": "auth.webhook_url"}
    return OTHERS.format(source=sources[auth.mode]) if auth.mode in sources else TOKENS


def _snippet(ws: str, password: str) -> list[str]:
    url = urlsplit(ws)
    return [
        "",
        "A bot with tmi.js (npm install tmi.js):",
        "  const tmi = require('tmi.js');",
        "  const client = new tmi.Client({",
        f"    connection: {{ server: '{url.hostname}', port: {url.port}, secure: false, reconnect: true }},",
        "    options: { skipUpdatingEmotesets: true },",
        f"    identity: {{ username: 'mybot', password: '{password}' }},",
        "    channels: ['alice'],",
        "  });",
        "  client.on('message', (channel, tags, text) => console.log(channel, tags.username, text));",
        "  client.connect();",
        "",
    ]
