"""The command line. Whatever is heavy is imported where it is needed: `godwit --help` answers at once."""

from __future__ import annotations


def main() -> None:
    """Run the command that the arguments name."""
    from godwit.cli.root import app

    app(prog_name="godwit")
