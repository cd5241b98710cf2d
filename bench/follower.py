"""A client that follows a channel from cluster to cluster, and says how long it heard nothing. Run as a program.

It reads lines on its input: `begin` begins a spell, `end` ends it and has it told as JSON on the output.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass, field

import uvloop

from godwit.client.client import Client
from godwit.client.events import Event, Gap, Message, Moved
from godwit.values import Addresses


@dataclass(slots=True)
class Spell:
    """What was heard in a while.

    Attributes:
        silence_ms: the longest time without a line.
        cluster: where it was heard last, if the channel moved.
    """

    heard: int = 0
    repeated: int = 0
    misordered: int = 0
    gaps: int = 0
    silence_ms: float = 0.0
    cluster: str = ""
    heard_at: float = field(default=0.0)

    def take(self, event: Event, last: dict[str, int]) -> None:
        """Count an event.

        Args:
            last: the highest number of each sender so far.
        """
        if isinstance(event, Moved):
            self.cluster = event.cluster
        elif isinstance(event, Gap):
            self.gaps += 1
        elif isinstance(event, Message) and event.text.startswith("~"):
            now = time.monotonic()
            if self.heard_at:
                self.silence_ms = max(self.silence_ms, (now - self.heard_at) * 1000)
            self.heard_at = now
            sender, number, _ = event.text.split(" ", 2)
            self.heard += 1
            self.repeated += int(number) == last.get(sender, 0)
            self.misordered += int(number) < last.get(sender, 0)
            last[sender] = max(int(number), last.get(sender, 0))


async def main(channel: str, servers: dict[str, str]) -> None:
    """Follow, and answer orders until the input ends."""
    spell = Spell()
    last: dict[str, int] = {}

    async def listen(client: Client) -> None:
        async for event in client:
            spell.take(event, last)

    where = {name: Addresses(tcp=(address,)) for name, address in servers.items()}
    async with Client(servers=where) as client:
        listening = asyncio.create_task(listen(client))
        await client.join(channel)
        print("joined", flush=True)
        while order := (await asyncio.to_thread(sys.stdin.readline)).strip():
            if order == "end":
                print(json.dumps(asdict(spell)), flush=True)
            spell = Spell()
        listening.cancel()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], json.loads(sys.argv[2])))
