"""What is done to a rollout: `godwit rollout pause` and the like, each one wish."""

from __future__ import annotations

import math
import os
from typing import Annotated, Any

import typer

from godwit.cli.api import Api, connect
from godwit.cli.options import ApiUrl, By, Channel, DryRun, Json, Reason, Rollout, RolloutName, Token
from godwit.cli.wishes import Doing, act, pick
from godwit.errors import InvalidRequest
from godwit.web.names import channel_name, shown

Force = Annotated[bool, typer.Option("--force", help="Move live channels too; needs --reason.")]


def pause(
    name: RolloutName = None,
    reason: Reason = "",
    dry_run: DryRun = False,
    by: By = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Begin no more moves; those under way come to their end.

    Exit status: 0 done; 2 it was refused and nothing was changed.

    Example: godwit rollout pause --reason 'bots complain'
    """
    _verb("pause", name, connect(api, token, os.environ), Doing(by, reason, dry_run, as_json))


def resume(
    name: RolloutName = None,
    reason: Reason = "",
    dry_run: DryRun = False,
    by: By = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Go on after a pause.

    Exit status: 0 done; 2 it was refused and nothing was changed.

    Example: godwit rollout resume
    """
    _verb("resume", name, connect(api, token, os.environ), Doing(by, reason, dry_run, as_json))


def abort(
    name: RolloutName = None,
    reason: Reason = "",
    dry_run: DryRun = False,
    by: By = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """End a rollout where it stands, in every state: what has moved stays moved.

    Exit status: 0 done; 2 it was refused and nothing was changed.

    Example: godwit rollout abort --reason 'not this week'
    """
    _verb("abort", name, connect(api, token, os.environ), Doing(by, reason, dry_run, as_json))


def reverse(
    name: RolloutName = None,
    channel: Annotated[str, typer.Option("--channel", metavar="CHANNEL", help="Only this one.")] = "",
    wave: Annotated[str, typer.Option("--wave", metavar="WAVE", help="Only the channels of this wave.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="All of them, the default placement too.")] = False,
    force: Force = False,
    reason: Reason = "",
    dry_run: DryRun = False,
    by: By = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Move channels back to where they came from, as gently as they went: one, a wave, or all.

    Exit status: 0 it goes back now; 2 it was refused and nothing was changed.

    Example: godwit rollout reverse --all --reason 'p99 doubled'
    """
    if (bool(channel), bool(wave), everything).count(True) != 1:
        raise InvalidRequest("say what goes back: one of --channel '#name', --wave NAME or --all")
    _reason_for(force, reason)
    args: dict[str, object] = {"all": True} if everything else {"wave": wave} if wave else {}
    if channel:
        args["channel"] = channel_name(channel)
    if force:
        args["force"] = True
    _verb("reverse", name, connect(api, token, os.environ), Doing(by, reason, dry_run, as_json), args)


def skip(
    channel: Channel,
    rollout: Rollout = None,
    reason: Reason = "",
    dry_run: DryRun = False,
    by: By = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Leave a channel out of a rollout: it stays where it is, and its wave ends without it.

    Exit status: 0 done; 2 it was refused and nothing was changed.

    Example: godwit rollout skip '#alice'
    """
    args = {"channel": channel_name(channel)}
    _verb("skip", rollout, connect(api, token, os.environ), Doing(by, reason, dry_run, as_json), args)


def retry(
    channel: Annotated[
        str | None, typer.Argument(metavar="CHANNEL", help="Only this one; else all that failed.")
    ] = None,
    rollout: Rollout = None,
    reason: Reason = "",
    dry_run: DryRun = False,
    by: By = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Try channels again that failed or were skipped.

    Exit status: 0 done; 2 it was refused and nothing was changed.

    Example: godwit rollout retry '#alice'
    """
    args = {} if channel is None else {"channel": channel_name(channel)}
    _verb("retry", rollout, connect(api, token, os.environ), Doing(by, reason, dry_run, as_json), args)


def set_budget(
    budget: Annotated[
        list[str], typer.Argument(metavar="KEY=VALUE", help="in_flight, cold_in_flight, hot_per_second, ...")
    ],
    rollout: Rollout = None,
    reason: Reason = "",
    dry_run: DryRun = False,
    by: By = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Change the budget of a rollout while it runs: in_flight, cold_in_flight, hot_per_second, cold_per_second.

    Exit status: 0 done; 2 it was refused and nothing was changed.

    Example: godwit rollout set in_flight=40 hot_per_second=2
    """
    args = {"budget": dict(_pair(text) for text in budget)}
    _verb("set", rollout, connect(api, token, os.environ), Doing(by, reason, dry_run, as_json), args)


def approve(
    wave: Annotated[str, typer.Argument(metavar="WAVE", help="The wave's name.")],
    gate: Annotated[
        str | None, typer.Argument(metavar="GATE", help="A gate's name; else those that wait for an approval.")
    ] = None,
    rollout: Rollout = None,
    reason: Reason = "",
    dry_run: DryRun = False,
    by: By = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Let a wave pass its approval, or one named gate whatever it says; that needs --reason.

    Exit status: 0 done; 2 it was refused and nothing was changed.

    Example: godwit rollout approve partners
    """
    args = {"wave": wave} if gate is None else {"wave": wave, "gate": gate}
    _verb("approve", rollout, connect(api, token, os.environ), Doing(by, reason, dry_run, as_json), args)


def _verb(verb: str, name: str | None, server: Api, doing: Doing, args: dict[str, Any] | None = None) -> None:
    """Carry out a verb that concerns one rollout."""
    act(server, verb, doing, rollout=pick(server, name)["id"], args=args)


def _reason_for(force: bool, reason: str) -> None:
    if force and not reason.strip():
        raise InvalidRequest("force needs a reason, for the audit: add --reason TEXT")


def _pair(text: str) -> tuple[str, float]:
    key, equals, value = text.partition("=")
    try:
        if not equals:
            raise ValueError
        number = float(value)
        if not math.isfinite(number):
            raise ValueError
    except ValueError:
        raise InvalidRequest(f"{shown(text)} is no budget: write it like in_flight=40") from None
    return key.strip(), int(number) if number.is_integer() else number
