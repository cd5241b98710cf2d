"""A bot that answers !ping, wherever its channel moves.

Usage: python examples/follow_bot.py CHANNEL [HOST:PORT]

Against `godwit serve` any nick and token will do. While it runs, move the channel:
`godwit channel move '#CHANNEL' --to aws`, and say !ping again.
"""

import asyncio
import sys

from godwit.client.client import Client
from godwit.client.events import Message, Moved
from godwit.errors import SayRefused, SayUnknown


async def main(channel: str, address: str) -> None:
    async with Client("pingbot", "oauth:any", servers=address) as client:
        await client.join(channel)
        print(f"in #{channel}: say !ping there")
        async for event in client:
            match event:
                case Message(text="!ping", author=author):
                    try:
                        await client.say(event.channel, f"pong, {author}", reply_to=event.id)
                    except (SayRefused, SayUnknown) as error:
                        print(error)
                case Moved():
                    print(f"#{event.channel} lives on {event.cluster} now")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    asyncio.run(main(sys.argv[1].removeprefix("#"), sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1:6667"))
