"""`godwit migrate`: what many processes share is made and changed here, and nowhere else."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from typing import TYPE_CHECKING, Any

import typer

from godwit.cli import logs
from godwit.cli.options import Config, DryRun, Json, Set

if TYPE_CHECKING:
    from godwit.chatlog.jetstream_prepare import Prepared
    from godwit.settings import Settings


def migrate(config: Config = None, settings: Set = None, dry_run: DryRun = False, as_json: Json = False) -> None:
    """Bring the store's tables and the streams of the chat logs to this version and these settings.

    Run it before the first start and after each update, once; several at a time do no harm. Of a SQLite file a copy is
    kept; of PostgreSQL make one yourself. What is as it should be is left alone.

    Example: godwit migrate --config godwit.toml
    """
    from godwit import config as loading

    found = loading.load(config, os.environ, settings or []).settings
    logs.to_stderr(logging.WARNING)
    asyncio.run(_migrate(found, dry_run=dry_run, as_json=as_json))


async def _migrate(settings: Settings, *, dry_run: bool, as_json: bool) -> None:
    told: dict[str, Any] = {"dry_run": dry_run, "store": await _store(settings, dry_run=dry_run), "logs": []}
    if not as_json:
        typer.echo(_of_store(told["store"], dry_run=dry_run))
    for cluster, servers in settings.nats.servers.items():
        done = None if dry_run else await _log(settings, cluster, servers)
        about = {"cluster": cluster, "servers": servers}
        if done:
            about |= {"created": list(done.created), "updated": list(done.updated), "kept": list(done.kept)}
        told["logs"].append(about)
        if not as_json:
            typer.echo(_of_log(cluster, servers, done))
    if as_json:
        typer.echo(json.dumps(told))


async def _store(settings: Settings, *, dry_run: bool) -> dict[str, Any]:
    from godwit.store import migrations
    from godwit.store.database import sqlite_url
    from godwit.store.urls import shown

    url = settings.store.url or sqlite_url(settings.store.path)
    place = shown(settings.store.url) if settings.store.url else settings.store.path
    before, after = await migrations.revisions(url)
    done = None if dry_run else await migrations.migrate(url)
    copy = str(done.copy) if done and done.copy else None
    return {"place": place, "before": done.before if done else before, "after": after, "copy": copy}


async def _log(settings: Settings, cluster: str, servers: list[str]) -> Prepared:
    from godwit.chatlog.jetstream_prepare import prepare

    return await prepare(cluster, servers, settings.nats, settings.log)


def _of_store(told: dict[str, Any], *, dry_run: bool) -> str:
    place, before, after = told["place"], told["before"], told["after"]
    if before == after:
        return f"store {place}: at revision {after}, nothing to do"
    whence = f"from revision {before} to {after}" if before else f"made at revision {after}"
    copy = f"; as it was it is kept in {told['copy']}" if told["copy"] else ""
    return f"store {place}: {'would be ' if dry_run else ''}{'migrated ' if before else ''}{whence}{copy}"


def _of_log(cluster: str, servers: list[str], done: Prepared | None) -> str:
    if done is None:
        return (
            f"cluster {cluster}: its streams at {', '.join(servers)} would be checked, and made where they are missing"
        )
    counts = (("made", done.created), ("changed", done.updated), ("as they should be", done.kept))
    return f"cluster {cluster}: " + ", ".join(f"{len(names)} streams {what}" for what, names in counts if names)
