"""What an operator can wish for: the verbs as a table, and which states of a rollout allow them.

`control/wishes.py` carries them out; CLI, API and console record them and nothing else.
"""

from __future__ import annotations

import msgspec

from godwit.errors import InvalidRequest
from godwit.rollout.values import RolloutState, Wish

ALL: tuple[RolloutState, ...] = ("running", "paused", "reversing", "reversed", "aborted", "finished")


class Verb(msgspec.Struct, frozen=True):
    """A row of the table.

    Attributes:
        help: what it does, in one line.
        states: the states of a rollout in which it may be done; empty: it concerns no rollout.
        needs: arguments that must be there.
        takes: arguments that may be there.
        reasoned: it must come with a reason.
    """

    help: str
    states: tuple[RolloutState, ...] = ()
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    reasoned: bool = False


VERBS: dict[str, Verb] = {
    "start": Verb(
        "begin a rollout whose plan has this hash", needs=("toml",), takes=("hash", "replan", "all_at_once")
    ),
    "pause": Verb("begin no more moves; those under way go on to their end", ("running", "reversing")),
    "resume": Verb("go on; a reversed rollout goes forward again from its first wave", ("paused", "reversed")),
    "abort": Verb("end it here: no more moves; those not sealed yet are cancelled", ("running", "paused", "reversing")),
    "reverse": Verb(
        "bring channels back to where they came from", ALL, takes=("channel", "wave", "all", "force")
    ),
    "skip": Verb("leave a channel out", ALL, needs=("channel",)),
    "retry": Verb(
        "try failed and skipped channels again", ("running", "paused", "reversing", "finished"), takes=("channel",)
    ),
    "set": Verb("change the budget", ("running", "paused", "reversing"), needs=("budget",)),
    "approve": Verb("let a wave's gate pass", ("running", "paused"), needs=("wave",), takes=("gate",)),
    "issue-add": Verb("record something wrong; the next wave waits", ALL, needs=("text",), takes=("wave",)),
    "issue-resolve": Verb("say that it is right again", ALL, needs=("issue",), takes=("resolution",)),
    "hold": Verb("keep a channel where it is", needs=("channel",), reasoned=True),
    "release": Verb("end a hold", needs=("channel",)),
    "evacuate": Verb(
        "give up a cluster by force; lines may be lost, and are counted", needs=("cluster", "into"), reasoned=True
    ),
    "default": Verb("change where channels without a row are", needs=("cluster",)),
    "retire": Verb("let the addresses of an empty cluster serve another one", needs=("cluster", "into")),
    "restore": Verb("let a retired cluster serve itself again", needs=("cluster",)),
    "repair": Verb("do the steps that doctor found missing", takes=("force",)),
    "act": Verb("do an act of moderation in a channel", needs=("channel", "kind", "login"), takes=("seconds",)),
    "usernotice": Verb(
        "show a channel a sub, a raid or the like", needs=("channel", "kind", "login"),
        takes=("text", "emotes", "system_msg", "params"),
    ),
}  # fmt: skip
"""Every verb. `docs/rollouts.md` lists them."""

ARROWS: dict[RolloutState, dict[RolloutState, str]] = {
    "running": {
        "paused": "pause, or a gate",
        "reversing": "reverse, or a gate",
        "aborted": "abort",
        "finished": "all waves are done",
    },
    "paused": {"running": "resume", "reversing": "reverse", "aborted": "abort"},
    "reversing": {
        "paused": "pause, or some stay there",
        "reversed": "all are back",
        "aborted": "abort",
        "finished": "the rest is there",
    },
    "reversed": {"running": "resume", "reversing": "reverse"},
    "aborted": {"reversing": "reverse"},
    "finished": {"reversing": "reverse", "running": "retry"},
}
"""Which states of a rollout may follow which, and by what; `docs/rollouts.md` shows it as a diagram."""


def check(wish: Wish, state: RolloutState | None) -> Verb:
    """Refuse a wish that cannot be.

    Args:
        state: of the wish's rollout, None if it names none.

    Raises:
        InvalidRequest: unknown verb, missing or unknown arguments, or a state that does not allow it; says which do.
    """
    verb = VERBS.get(wish.verb)
    if verb is None:
        raise InvalidRequest(f"'{wish.verb}' is no verb: use one of {', '.join(VERBS)}")
    missing = [name for name in verb.needs if wish.args.get(name) in (None, "")]
    if missing:
        raise InvalidRequest(f"{wish.verb} needs {' and '.join(missing)}")
    unknown = [name for name in wish.args if name not in (*verb.needs, *verb.takes)]
    if unknown:
        takes = ", ".join((*verb.needs, *verb.takes)) or "nothing"
        raise InvalidRequest(f"{wish.verb} does not take {', '.join(unknown)}: it takes {takes}")
    if (verb.reasoned or wish.args.get("force")) and not wish.reason:
        raise InvalidRequest(
            f"{wish.verb}{' by force' if wish.args.get('force') else ''} needs a reason: add --reason TEXT"
        )
    if verb.states:
        if state is None:
            raise InvalidRequest(f"{wish.verb} needs a rollout: name one, see `godwit rollout list`")
        if state not in verb.states:
            raise InvalidRequest(f"a rollout that is {state} takes no {wish.verb}: it must be {_either(verb.states)}")
    return verb


def _either(states: tuple[str, ...]) -> str:
    return states[0] if len(states) == 1 else f"{', '.join(states[:-1])} or {states[-1]}"
