"""How far Godwit does what docs/protocol.md says, row by row: `make compatibility`, or `python -m tests.compatibility`.

Runs the tests that show rows; prints what they say as JSON: `{"works": n, "differs": n, "not_built": n, "rows": …}`.
`tests/compatibility.toml` says what differs from Twitch and how, and what is not built and why. A row whose tests did
not all pass, or that has none, is an error: the exit status is 1, and the rows are named.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.rows import PAGE, ROOT, rows

SAID = ROOT / "tests" / "compatibility.toml"
TABLE = ROOT / "docs" / "compatibility.md"

HEAD = """\
# Compatibility

Made by `make compatibility` from the results of the tests and from `tests/compatibility.toml`; the rows are those of
[protocol.md](protocol.md).

- **works**: the tests that show the row pass.
- **differs**: they pass, and Godwit does something else here than Twitch does, or nobody knows what Twitch does; it
  says which.
- **not built**: it says why.

"""


class Unproven(Exception):
    """Rows without a result."""


def judge(
    page: Mapping[str, str], said: Mapping[str, Mapping[str, str]], outcomes: Mapping[str, Any]
) -> dict[str, Any]:
    """What is known of each row.

    Args:
        page: the rows of the protocol.
        said: `differs` and `not_built`: row -> how, or why.
        outcomes: row -> test -> how it ended.

    Raises:
        Unproven: a row has no result, or `said` names one that does not exist.
    """
    differs, missing = said.get("differs", {}), said.get("not_built", {})
    wrong = [f"{row} is not in docs/protocol.md" for row in sorted({*differs, *missing} - {*page})]
    wrong += [f"{row} cannot differ and not be built" for row in sorted({*differs} & {*missing})]
    found: list[dict[str, Any]] = []
    for row in page:
        tests = outcomes.get(row, {})
        failed = sorted(name for name, outcome in tests.items() if outcome != "passed")
        if failed:
            wrong.append(f"{row}: {failed[0]} {tests[failed[0]]}")
        if row in missing:
            found.append({"id": row, "result": "not_built", "why": missing[row], "tests": len(tests)})
        elif not tests:
            wrong.append(f"{row} is shown by no test")
        elif row in differs:
            found.append({"id": row, "result": "differs", "how": differs[row], "tests": len(tests)})
        else:
            found.append({"id": row, "result": "works", "tests": len(tests)})
    if wrong:
        raise Unproven("\n".join(wrong))
    counts = {kind: sum(one["result"] == kind for one in found) for kind in ("works", "differs", "not_built")}
    return {**counts, "rows": found}


def table(result: Mapping[str, Any]) -> str:
    """The text of `docs/compatibility.md`."""
    kinds = {"works": "works", "differs": "differs", "not_built": "not built"}
    lines = [f"{result['works']} rows work, {result['differs']} differ, {result['not_built']} are not built.\n\n"]
    lines.append("| id | result | how, or why |\n| --- | --- | --- |\n")
    for row in result["rows"]:
        lines.append(f"| {row['id']} | {kinds[row['result']]} | {row.get('how') or row.get('why') or ''} |\n")
    return HEAD + "".join(lines)


def read_said() -> dict[str, dict[str, str]]:
    """What `tests/compatibility.toml` says."""
    return tomllib.loads(SAID.read_text(encoding="utf-8"))


def run(arguments: list[str]) -> dict[str, Any]:
    """Run the tests that show rows; returns how they ended.

    Raises:
        Unproven: they could not be run.
    """
    with tempfile.TemporaryDirectory(prefix="godwit-rows-") as directory:
        file = Path(directory, "rows.json")
        command = [sys.executable, "-m", "pytest", "-q", "--rows", str(file), *arguments]
        status = subprocess.run(command, cwd=ROOT, stdout=sys.stderr, check=False).returncode
        if status > 1:  # 1: some failed, which the file tells
            raise Unproven(f"the tests could not be run: pytest ended with status {status}, see above")
        outcomes: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return outcomes


def main() -> int:
    """Run, print, write the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.compatibility", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("pytest", nargs="*", help="arguments for pytest, such as -- -n 2")
    page = rows(PAGE.read_text(encoding="utf-8"))
    try:
        result = judge(page, read_said(), run(parser.parse_args().pytest))
    except Unproven as error:
        print(error, file=sys.stderr)
        return 1
    TABLE.write_text(table(result), encoding="utf-8")
    print(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
