"""A real server with tokens and TLS: certificates renewed, tokens revoked, nobody else dropped."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest

from godwit.local.certificate import own_certificate
from tests.e2e.harness import RawClient, Server, serve


async def secure(server: Server, certificate: Path, nick: str, token: str) -> RawClient:
    """Somebody who has logged in over TLS and joined."""
    host, port = str(server.ready["clusters"]["main"]["tls"]).split(":")
    trusts = ssl.create_default_context(cafile=str(certificate))
    client = RawClient(*await asyncio.open_connection(host, int(port), ssl=trusts), nick)
    await client.login("room", token=token)
    return client


@pytest.mark.row("TLS-1", "TLS-2", "AUTH-2", "AUTH-7", "LOGIN-11")
async def test_a_certificate_is_renewed_and_a_token_is_revoked(tmp_path: Path) -> None:
    certificate, key = own_certificate(tmp_path, datetime.now(UTC))
    old = tmp_path / "old.crt"
    old.write_bytes(certificate.read_bytes())
    settings = ("auth.mode=tokens", f"edge.certificate={certificate}", f"edge.key={key}")
    async with serve(tmp_path, *settings) as server:
        tokens = {}
        async with server.http() as api:
            for nick in ("ann", "bob"):
                await api.post("/accounts", json={"login": nick})
            for name, nick in (("ann", "ann"), ("phone", "ann"), ("bob", "bob")):
                tokens[name] = (await api.post(f"/accounts/{nick}/token")).json()
        ann = await secure(server, old, "ann", tokens["ann"]["token"])

        certificate.unlink()
        own_certificate(tmp_path, datetime.now(UTC))
        os.kill(server.process.pid, signal.SIGHUP)
        await server.wait_logged("event=certificate_renewed")
        phone = await secure(server, certificate, "ann", tokens["phone"]["token"])
        bob = await secure(server, certificate, "bob", tokens["bob"]["token"])

        async with server.http() as api:
            assert (await api.delete(f"/accounts/ann/tokens/{tokens['ann']['id']}")).status_code == 204
        await ann.expect("NOTICE * :Login authentication failed")
        await ann.until_closed()
        bob.say("room", "still here")
        await phone.expect(":still here")
        for client in (ann, phone, bob):
            await client.close()
