"""Asking the directory where channels are (protocol rows HTTP-servers and HTTP-bulk)."""

from __future__ import annotations

import asyncio
import http.client
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

import msgspec

from godwit.errors import DirectoryUnavailable
from godwit.values import Addresses

MAX_CHANNELS = 10_000
"""Channels that one bulk request may name."""

MAX_ANSWER = 16 * 1024 * 1024
"""Longest answer that is read, in bytes."""


_T = TypeVar("_T")


class Place(msgspec.Struct, frozen=True):
    """Where a channel is.

    Attributes:
        epoch: the epoch of its placement, or None where the directory does not tell.
    """

    cluster: str
    addresses: Addresses
    epoch: int | None = None


class Directory(Protocol):
    """Something that knows where channels are."""

    async def look_up(self, channels: Sequence[str]) -> Mapping[str, Place]:
        """Say where channels are; one that it knows nothing of is left out.

        Raises:
            DirectoryUnavailable: it did not answer, or not in a way that can be read.
        """
        ...


class _Servers(msgspec.Struct):
    servers: list[str] = []
    websockets_servers: list[str] = []
    cluster: str = ""

    def addresses(self) -> Addresses:
        return Addresses(tcp=tuple(self.servers), ws=tuple(self.websockets_servers))


class _Entry(msgspec.Struct):
    cluster: str
    epoch: int | None = None


class _Bulk(msgspec.Struct):
    channels: dict[str, _Entry]
    clusters: dict[str, _Servers]


class HttpDirectory:
    """A directory behind HTTP: in bulk where it can, channel by channel where it must."""

    def __init__(self, url: str, *, timeout: float = 5.0) -> None:
        """Take the directory's base address.

        Args:
            url: such as `http://127.0.0.1:8000`.
            timeout: seconds that one request may take.
        """
        if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
            raise ValueError(f"a directory's address starts with http:// or https://: {url}")
        self._url = url.rstrip("/") + "/servers"
        self._timeout = timeout
        self._bulk = True

    async def look_up(self, channels: Sequence[str]) -> Mapping[str, Place]:
        """Say where channels are.

        Raises:
            DirectoryUnavailable: it did not answer, or not in a way that can be read.
        """
        return await asyncio.to_thread(self._look_up, tuple(channels))

    def _look_up(self, channels: tuple[str, ...]) -> dict[str, Place]:
        found: dict[str, Place] = {}
        for first in range(0, len(channels), MAX_CHANNELS):
            part = channels[first : first + MAX_CHANNELS]
            found.update(self._many(part) if self._bulk else self._each(part))
        return found

    def _many(self, channels: tuple[str, ...]) -> dict[str, Place]:
        request = urllib.request.Request(
            self._url,
            data=msgspec.json.encode({"channels": channels}),
            headers={"Content-Type": "application/json"},
            method="POST",
        )
        try:
            answer = self._ask(request, _Bulk)
        except urllib.error.HTTPError as error:
            if error.code in (404, 405, 501):
                # A directory of the first days knows one channel at a time only.
                self._bulk = False
                return self._each(channels)
            raise DirectoryUnavailable(f"{self._url} answered {error.code}") from error
        found = {}
        for name, entry in answer.channels.items():
            servers = answer.clusters.get(entry.cluster, _Servers())
            found[name] = Place(entry.cluster, servers.addresses(), entry.epoch)
        return found

    def _each(self, channels: tuple[str, ...]) -> dict[str, Place]:
        found = {}
        for name in channels:
            query = urllib.parse.urlencode({"channel": name})
            try:
                answer = self._ask(urllib.request.Request(f"{self._url}?{query}"), _Servers)
            except urllib.error.HTTPError as error:
                if error.code in (400, 404):
                    continue
                raise DirectoryUnavailable(f"{self._url} answered {error.code}") from error
            found[name] = Place(answer.cluster, answer.addresses())
        return found

    def _ask(self, request: urllib.request.Request, shape: type[_T]) -> _T:
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as response:
                body = response.read(MAX_ANSWER + 1)
            if len(body) > MAX_ANSWER:
                raise DirectoryUnavailable(f"{self._url}: the answer is longer than {MAX_ANSWER} bytes")
            return msgspec.json.decode(body, type=shape)
        except urllib.error.HTTPError as error:
            error.close()
            raise
        except (OSError, http.client.HTTPException) as error:
            raise DirectoryUnavailable(f"{self._url}: {error}") from error
        except msgspec.MsgspecError as error:
            raise DirectoryUnavailable(f"{self._url}: the answer cannot be read: {error}") from error
