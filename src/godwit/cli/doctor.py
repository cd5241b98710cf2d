"""`godwit doctor` and `godwit repair`: does what the store, the logs and the edges say agree?"""

from __future__ import annotations

import json
import os
from typing import Annotated

import typer

from godwit.cli.api import connect
from godwit.cli.options import ApiUrl, By, DryRun, Json, Reason, Token
from godwit.cli.wishes import Doing, act
from godwit.errors import InvalidRequest

PATIENCE = 600.0
"""Seconds to wait for the doctor, who looks at every channel."""


def doctor(api: ApiUrl = None, token: Token = None, as_json: Json = False) -> None:
    """Compare what the store, the logs and the edges say of every channel; changes nothing.

    Exit status: 0 clean; 1 something does not agree; 2 it could not be asked.

    Example: godwit doctor
    """
    import msgspec

    from godwit.control.findings import Finding, line

    server = connect(api, token, os.environ)
    server.timeout = PATIENCE
    found = server.get("doctor")
    findings = msgspec.convert(found["findings"], list[Finding])
    if as_json:
        typer.echo(json.dumps(found))
    else:
        for finding in findings:
            typer.echo(line(finding))
        agree = "clean: store, logs and edges agree" if not findings else f"{len(findings):,} found"
        looked = f"{found['channels']:,} channels, {found['moves']:,} moves and {found['items']:,} items"
        typer.echo(f"{agree} (looked at {looked} in {found['seconds']:.1f} s)")
    if findings:
        can = sum(bool(finding.repair) for finding in findings)
        hint = (
            f"see what can be mended with 'godwit repair --dry-run': {can:,}" if can else "nothing that repair can mend"
        )
        typer.echo(f"godwit: {hint}", err=True)
        raise typer.Exit(1)


def repair(
    force: Annotated[
        bool, typer.Option("--force", help="Give up segments whose log is gone, too; needs --reason.")
    ] = False,
    reason: Reason = "",
    dry_run: DryRun = False,
    by: By = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Do the steps that are missing where the doctor found some.

    Exit status: 0 done; 2 it was refused and nothing was changed.

    Example: godwit repair --dry-run
    """
    if force and not reason.strip():
        raise InvalidRequest("force needs a reason, for the audit: add --reason TEXT")
    args = {"force": True} if force else {}
    act(connect(api, token, os.environ), "repair", Doing(by, reason, dry_run, as_json), args=args)
