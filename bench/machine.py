"""The machine of a bench, and what a process has used of it (Linux)."""

from __future__ import annotations

import json
import os
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LIBRARIES = ("godwit", "uvloop", "websockets", "msgspec", "sqlalchemy")

_TICKS = os.sysconf("SC_CLK_TCK")


def describe() -> dict[str, str]:
    """Machine and versions, as a report shows them."""
    model = next(
        (line.partition(":")[2].strip() for line in _read("/proc/cpuinfo") if line.startswith("model name")), "unknown"
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    found = {
        "cpu": f"{model}, {os.cpu_count()} cores",
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            found[library] = "not installed"
    return found


def load() -> str:
    """The system's load averages now."""
    return ", ".join(f"{average:.2f}" for average in os.getloadavg())


def memory(pid: int) -> int:
    """Resident bytes of a process; kernel buffers of its sockets are not among them."""
    [line] = [line for line in _read(f"/proc/{pid}/status") if line.startswith("VmRSS:")]
    return int(line.split()[1]) * 1024


def sockets(pid: int) -> int:
    """How many sockets a process has open."""
    return sum(os.readlink(each).startswith("socket:") for each in Path(f"/proc/{pid}/fd").iterdir())


def cpu(pid: int) -> float:
    """Seconds of CPU that a process has used, in user and kernel."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) / _TICKS


def own_cpu() -> float:
    """Seconds of CPU that this process has used."""
    return time.process_time()


def pid(ready_file: Path) -> int:
    """The process of a server, as its ready file names it."""
    return int(json.loads(ready_file.read_bytes())["pid"])


def _read(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
