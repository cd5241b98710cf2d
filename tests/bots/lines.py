"""The dialect in which tests drive bots: JSON lines.

Orders, on a bot's standard input:

- `{"say": text}`: say it in the channel. Orders queue up; the bot speaks no faster than its pace.
- `{"answer": {"!command": "reply"}}`: from now on say the reply whenever the command is heard.
- `{"call": "ban", "args": ["#room", "ann"], "number": 1, "patience": 20000}`: call that method of tmi.js, and tell what
  becomes of its promise. The library gives up after so many milliseconds.
- `{"raw": line}`: send that line (`irc`).
- `{"quit": true}`, or the end of the input: disconnect and exit.

Events, on its standard output: `ready` (logged in), `joined`, `parted`, `message` (`from`, `text`, `id` where the
library knows it), `whisper` (`from`, `text`), `notice`, `told` (`what` the library tells its users of, with `args`),
`result` of a call (`number`, `value` or `error`), `raw` (`line`, as the library got it), `disconnected`, `error`
(`text`). A bot with two connections names in `at` the one it speaks of.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any


def arguments(description: str) -> argparse.ArgumentParser:
    """The command line that all bots share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", required=True, type=int)
    parser.add_argument("--nick", required=True)
    parser.add_argument("--channel", required=True, help="with or without #")
    parser.add_argument("--pace", type=float, default=0.05, help="least seconds between two messages")
    return parser


def emit(event: str, **fields: Any) -> None:
    """Tell the test what happened."""
    sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
    sys.stdout.flush()
