"""`godwit doctor` and `godwit repair`: does what the store, the logs and the edges say agree?"""

from __future__ import annotations

import json
import os
from typing import Annotated, Any

import typer

from godwit.cli.api import connect
from godwit.cli.options import ApiUrl, By, DryRun, Json, Reason, Token
from godwit.cli.wishes import Doing, act
from godwit.errors import InvalidRequest


def doctor(api: ApiUrl = None, token: Token = None, as_json: Json = False) -> None:
    """Compare what the store, the logs and the edges say of every channel; changes nothing.

    Exit status: 0 clean; 1 something does not agree; 2 it could not be asked.

    Example: godwit doctor
    """
    found = connect(api, token, os.environ).get("doctor")
    findings = found["findings"]
    if as_json:
        typer.echo(json.dumps(found))
    elif findings:
        for finding in findings:
            typer.echo(_line(finding))
    else:
        typer.echo("clean: store, logs and edges agree")
    if findings:
        can = sum(bool(finding.get("repair")) for finding in findings)
        typer.echo(f"godwit: {len(findings)} found; 'godwit repair' can mend {can} of them", err=True)
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


def _line(finding: dict[str, Any]) -> str:
    where = f"#{finding['channel']}: " if finding.get("channel") else ""
    mend = "  (repair can mend it)" if finding.get("repair") else ""
    return f"{finding['kind']}  {where}{finding['what']}{mend}"
