"""Letting open and seal of segments go that were committed (rules L3, C1).

JetStream cannot give a stored record a time to live. So a release is noted in the stream, on a subject of its
own; when the note is older than any record that was stored before it could be, what it names is deleted, then the
note. Whoever sweeps does it; two that do it at once do no harm.
"""

from __future__ import annotations

import msgspec

from godwit.chatlog.jetstream_records import Stored, stays
from godwit.chatlog.jetstream_streams import API_TIMEOUT, Api, Layout, lifetime
from godwit.chatlog.jetstream_views import View
from godwit.settings import LogSettings

PAGE = 256
"""Messages that are read at once."""


class _Note(msgspec.Struct):
    epoch: int


_NOTE = msgspec.json.Decoder(_Note)


class Releases:
    """The notes of a cluster's streams, and what follows from them."""

    def __init__(self, api: Api, layout: Layout, settings: LogSettings) -> None:
        self._api = api
        self._layout = layout
        self._settings = settings

    async def note(self, view: View, channel: str, epoch: int, within: float) -> None:
        """Note that open and seal of a channel's segments up to an epoch may go.

        Raises:
            ChatLogUnavailable: it may not have been noted.
        """
        headers = {"Nats-Expected-Stream": view.name, "Nats-Msg-Id": f"release:{channel}:{epoch}"}
        subject = self._layout.release(view.number, channel)
        sequence, _ = await self._api.append(subject, msgspec.json.encode(_Note(epoch)), headers, within)
        view.knows(sequence)

    async def sweep(self, view: View, now: float) -> int:
        """Delete what was released and may go at time `now` of the stream's leader; tells how many records went.

        Raises:
            ChatLogUnavailable: no answer; the next sweep goes on.
        """
        deleted, start = 0, 1
        before = now - lifetime(self._settings) - 1.0
        while True:
            subject = self._layout.release(view.number, "*")
            notes, more = await self._api.batch(view.name, subject, start, PAGE, API_TIMEOUT)
            for note in notes:
                if note.time > before:
                    return deleted
                deleted += await self._obey(view, note, before)
            if not more:
                return deleted
            start = notes[-1].sequence + 1

    async def _obey(self, view: View, note: Stored, before: float) -> int:
        epoch = _epoch(note)
        pinned: list[Stored] = []
        behind = epoch + 1
        for each in await self._records(view, note.channel):
            if each.record and not stays(each.record):
                behind = min(behind, each.record.epoch)
            elif each.record and each.record.epoch <= epoch:
                pinned.append(each)
        # A seal outlives what lies behind it: else that would seem to be in force (rule C1).
        going = [each for each in pinned if each.record and each.record.epoch < behind and each.time <= before]
        for each in going:
            await self._api.delete(view.name, each.sequence)
        if len(going) == len(pinned):
            await self._api.delete(view.name, note.sequence)
        return len(going)

    async def _records(self, view: View, channel: str) -> list[Stored]:
        found: list[Stored] = []
        more, start = True, 1
        while more:
            page, more = await self._api.batch(view.name, self._layout.subject(channel), start, PAGE, API_TIMEOUT)
            found += page
            start = page[-1].sequence + 1 if page else start
        return found


def _epoch(note: Stored) -> int:
    try:
        return _NOTE.decode(note.data).epoch
    except msgspec.MsgspecError:
        return 0
