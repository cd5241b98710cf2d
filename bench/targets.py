"""Servers under test: each a child process on its own core, with its limits out of the way."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import machine
from godwit.ground import open_store
from godwit.load.crowd import AT_ONCE
from godwit.load.dialects import DialectName
from godwit.roles.child import end_with_parent
from godwit.settings import Settings, StoreSettings
from godwit.values import Relation

SERVER_CORE, LOAD_CORE = 0, 1

START_PATIENCE = 30.0

GODWIT = {
    "edge.reconnect_grace": "0",
    "edge.retire_spread": "0",
    "control.probes": "false",
    "limits.joins": "100000000",
    "limits.verified_joins": "100000000",
    "limits.logins": "100000000",
    "limits.messages": "100000000",
    "limits.elevated_messages": "100000000",
    "limits.channel_interval": "0.000001",
    "limits.duplicate_window": "0.000001",
}
"""Limits are on and set high, so that looking costs what it costs; everything else is as it is by default."""


_ROOT = str(Path(__file__).parents[1])
_ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), _ROOT))),
}  # a part of the bench that runs as a child is found wherever that runs


class Missing(Exception):
    """A server is not installed; the message says how to get it."""


@dataclass(frozen=True, slots=True)
class Target:
    """A server that runs.

    Attributes:
        tcp: `host:port`.
        ws: the same for WebSocket, if it has that.
        ready: what it wrote when it was ready, if it does that.
        at_once: how many it lets in at the same time without forgetting some.
        furnished: rooms that have moderators, bans and a mode (`moderation.py`).
    """

    name: str
    version: str
    pid: int
    tcp: str
    dialect: DialectName
    ws: str = ""
    at_once: int = AT_ONCE
    ready: dict[str, Any] = field(default_factory=dict)
    furnished: set[str] = field(default_factory=set)

    def cpu(self) -> float:
        """Seconds of CPU that it has used, all threads together."""
        return machine.cpu(self.pid)


Start = Callable[[], AbstractContextManager[Target]]


def pin(core: int) -> None:
    """Keep this process, and children that are started from now on, on one core, where there are two."""
    if os.cpu_count() != 1:
        os.sched_setaffinity(0, {core})


@contextlib.contextmanager
def child(
    command: Sequence[str], folder: str, stdin: int = subprocess.DEVNULL, user: str | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program on the server's core; what it says goes to a file in the folder.

    It ends with this process, however that ends; but whoever changes his user by himself forgets that.

    Args:
        user: whom it runs as, if this process is root.
    """
    lower: dict[str, Any] = {}
    if user and os.geteuid() == 0:
        known = pwd.getpwnam(user)
        lower = {"user": known.pw_uid, "group": known.pw_gid, "extra_groups": ()}
    pin(SERVER_CORE)
    try:
        with Path(folder, "said.txt").open("wb") as said:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=_ENVIRONMENT,
                stdin=stdin,
                stdout=said,
                stderr=subprocess.STDOUT,
                preexec_fn=end_with_parent,
                **lower,
            )
    finally:
        pin(LOAD_CORE)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until(there: Callable[[], bool], process: subprocess.Popen[bytes], folder: str) -> None:
    """Wait until a child is there.

    Raises:
        RuntimeError: it ended, or took too long; with what it said.
    """
    end = time.monotonic() + START_PATIENCE
    while not there():
        if process.poll() is not None or time.monotonic() > end:
            said = Path(folder, "said.txt").read_text(encoding="utf-8", errors="replace")[-2000:]
            raise RuntimeError(f"{process.args!r} is not there: {said}")
        time.sleep(0.02)


def listens(address: str) -> Callable[[], bool]:
    """Whether somebody listens at `host:port`."""
    host, _, port = address.rpartition(":")

    def there() -> bool:
        try:
            socket.create_connection((host, int(port)), 1).close()
        except OSError:
            return False
        return True

    return there


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def program(name: str, package: str) -> str:
    """Where a program is.

    Raises:
        Missing: it is not installed.
    """
    found = shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin")))
    if found is None:
        raise Missing(f"not installed: {package}")
    return found


def said(command: Sequence[str]) -> str:
    """The first words of what a program says, such as its name and version."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return " ".join((done.stdout or done.stderr).split()[:2]).partition("-IDENT")[0]


async def _know(path: Path) -> None:
    """Make a store in which somebody follows a channel: where nobody does, nobody is asked about (`edge.relations`)."""
    async with contextlib.AsyncExitStack() as up:
        store = await open_store(Settings(store=StoreSettings(path=str(path))), up)
        await store.set_relations([Relation("bench", "1", follows_since=1.0)], ["follow"])


@contextlib.contextmanager
def godwit() -> Iterator[Target]:
    """`godwit serve`: the whole server, with its store in a file."""
    with tempfile.TemporaryDirectory(prefix="godwit-bench-") as folder:
        ready = Path(folder, "ready.json")
        path = Path(folder, "godwit.sqlite3")
        asyncio.run(_know(path))
        settings = {**GODWIT, "store.path": str(path)}
        command = [sys.executable, "-m", "godwit", "serve", "--ports", "auto", "--ready-file", str(ready)]
        for key, value in settings.items():
            command += ["--set", f"{key}={value}"]
        with child(command, folder) as process:
            wait_until(ready.exists, process, folder)
            told = json.loads(ready.read_bytes())
            main = told["clusters"]["main"]
            ws = main["ws"].removeprefix("ws://").rstrip("/")
            yield Target("godwit", machine.describe()["godwit"], process.pid, main["tcp"], "twitch", ws, ready=told)


_INSPIRCD = """
<server name="irc.bench.local" description="bench" network="bench">
<admin name="bench" nick="bench" email="bench">
<bind address="127.0.0.1" port="{port}" type="clients">
<connect allow="*" timeout="300" pingfreq="3600" hardsendq="1073741824" softsendq="268435456" recvq="1048576"
  threshold="1000000000" commandrate="1000000000" fakelag="no" localmax="1000000" globalmax="1000000"
  limit="1000000" resolvehostnames="no" useident="no" maxchans="1000" maxconnwarn="no">
<class name="none" commands="">
<options prefixquit="" hidewhois="" noservices="no" defaultmodes="{modes}">
<performance netbuffersize="65534" somaxconn="4096" softlimit="1000000" clonesonconnect="no" quietbursts="yes">
<dns server="127.0.0.1" timeout="1">
<pid file="{folder}/inspircd.pid">
<log method="file" type="* -USERINPUT -USEROUTPUT" level="default" target="{folder}/inspircd.log">
<module name="auditorium">
<auditorium opvisible="no" opcansee="no">
"""


def inspircd(quiet: bool = False) -> Start:
    """InspIRCd.

    Args:
        quiet: in rooms members don't see each other come, else a crowd of 10,000 is sent 50 million JOINs.
    """

    @contextlib.contextmanager
    def start() -> Iterator[Target]:
        path = program("inspircd", "apt-get install inspircd")
        port = free_port()
        with tempfile.TemporaryDirectory(prefix="godwit-bench-") as folder:
            config = Path(folder, "inspircd.conf")
            text = _INSPIRCD.format(port=port, folder=folder, modes="ntu" if quiet else "nt")
            config.write_text(text, encoding="utf-8")
            command = [path, "--nofork", "--runasroot", "--config", str(config)]
            with child(command, folder) as process:
                wait_until(listens(f"127.0.0.1:{port}"), process, folder)
                yield Target("inspircd", said([path, "--version"]), process.pid, f"127.0.0.1:{port}", "irc")

    return start


_NGIRCD = """
[Global]
Name = irc.bench.local
Info = bench
Listen = 127.0.0.1
Ports = {port}
MotdPhrase = bench
[Limits]
ConnectRetry = 60
MaxConnections = 0
MaxConnectionsIP = 0
MaxJoins = 0
MaxNickLength = 30
MaxPenaltyTime = 0
PingTimeout = 3600
PongTimeout = 600
[Options]
DNS = no
Ident = no
PAM = no
"""


@contextlib.contextmanager
def ngircd() -> Iterator[Target]:
    """ngIRCd."""
    path = program("ngircd", "apt-get install ngircd")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="godwit-bench-") as folder:
        config = Path(folder, "ngircd.conf")
        config.write_text(_NGIRCD.format(port=port), encoding="utf-8")
        Path(folder).chmod(0o755)
        with child([path, "--nodaemon", "--config", str(config)], folder, user="nobody") as process:
            wait_until(listens(f"127.0.0.1:{port}"), process, folder)
            yield Target("ngircd", said([path, "--version"]), process.pid, f"127.0.0.1:{port}", "irc", at_once=1)


_NODE = Path(__file__).with_name("node")


@contextlib.contextmanager
def node() -> Iterator[Target]:
    """A WebSocket server on `ws`, from npm (`node/server.js`)."""
    path = program("node", "apt-get install nodejs npm")
    try:
        about = json.loads((_NODE / "node_modules/ws/package.json").read_bytes())
    except FileNotFoundError:
        raise Missing("not installed: npm ci --prefix bench/node") from None
    version = f"ws {about['version']} on node {said([path, '--version'])}"
    address = f"127.0.0.1:{free_port()}"
    command = [path, str(_NODE / "server.js"), address.rpartition(":")[2]]
    with tempfile.TemporaryDirectory(prefix="godwit-bench-") as folder, child(command, folder) as process:
        wait_until(listens(address), process, folder)
        yield Target("node", version, process.pid, "", "irc", address)


@contextlib.contextmanager
def nats() -> Iterator[Target]:
    """nats-server, which is no chat server but is often put under one."""
    from godwit.errors import InvalidRequest
    from godwit.local.nats import program as find

    try:
        path = find()
    except InvalidRequest as error:
        raise Missing(f"not installed: {error}") from error
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="godwit-bench-") as folder:
        config = Path(folder, "nats.conf")
        limits = 'max_pending: 1GB\nmax_connections: 100000\nping_interval: "1h"\nwrite_deadline: "60s"\n'
        config.write_text(f'listen: "127.0.0.1:{port}"\n{limits}', encoding="utf-8")
        with child([str(path), "-c", str(config)], folder) as process:
            wait_until(listens(f"127.0.0.1:{port}"), process, folder)
            yield Target("nats", said([str(path), "--version"]), process.pid, f"127.0.0.1:{port}", "nats")
