"""Writes the documents that are made from code: `python -m tests.docs` (or `make docs`).

`tests/test_docs.py` fails when one of them differs from what this would write.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from godwit.config import SECRETS
from godwit.settings import rows
from tests.docs_blocks import fill

ROOT = Path(__file__).resolve().parent.parent

SETTINGS_HEAD = """\
# Settings

Made from `src/godwit/settings.py` by `make docs`; change the text there.

Every setting can be given in four ways. The first one that names it counts:

1. `godwit serve --set edge.ping_interval=60`, as often as needed;
2. the environment: `GODWIT_EDGE__PING_INTERVAL=60`;
3. a TOML file named by `--config`: `ping_interval = 60` under `[edge]`;
4. the default.

Secrets can also be in files of their own, so that they are in no process list and no variable: each of {secrets} has
a twin with `_file` at its end that names the file, e.g. `auth.admin_token_file = "/run/secrets/admin"`.

`godwit config show` prints what is in force, `godwit config explain KEY` says what a setting does.
"""


def show(value: Any) -> str:
    """A default as a reader would type it."""
    match value:
        case "" | () | {}:
            return "empty"
        case bool():
            return f"`{str(value).lower()}`"
        case tuple():
            return f"`{', '.join(value)}`"
        case _:
            return f"`{value}`"


def settings_page() -> str:
    """The text of `docs/settings.md`."""
    page = [SETTINGS_HEAD.format(secrets=", ".join(f"`{name}`" for name in sorted(SECRETS)))]
    section = None
    for name, default, help in rows():
        here = name.rpartition(".")[0]
        if here != section:
            section = here
            page.append(f"\n## {here or 'General'}\n\n| setting | default | what it does |\n| --- | --- | --- |\n")
        page.append(f"| `{name}` | {show(default)} | {help.replace('|', '&#124;')} |\n")
    return "".join(page)


def filled(name: str) -> Callable[[], str]:
    """A document of which parts are made from code."""
    return lambda: fill((ROOT / name).read_text(encoding="utf-8"))


PARTLY = ("docs/architecture.md", "docs/rollouts.md")
"""Documents of which parts are made, see `tests/docs_blocks.py`."""

PAGES = {"docs/settings.md": settings_page} | {name: filled(name) for name in PARTLY}
"""File -> what its text must be."""


def main() -> None:
    """Write every page."""
    for name, render in PAGES.items():
        (ROOT / name).write_text(render(), encoding="utf-8")
        print(f"wrote {name}")


if __name__ == "__main__":
    main()
