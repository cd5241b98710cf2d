"""What operators do in a channel: acts of moderation, roles, and what everybody there is told (USERNOTICE).

A record is appended to the channel's log like anybody's, so all edges agree on it (rules R1, R2). Only the controller
does it: it alone moves channels, so it knows whether what it appended can have come behind a seal.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import structlog

from godwit.chat.authors import author
from godwit.control.prepared import Prepared, Preparer
from godwit.errors import AppendUnknown, ChatLogUnavailable, InvalidRequest
from godwit.rollout.values import Wish
from godwit.store.base import Sanction, in_force
from godwit.values import FAMILIES, LONGEST_TIMEOUT, Account, Act, ActKind, Author, Position, Segment, UserNotice

log = structlog.get_logger()

TRIES = 3
"""How often a record is appended while its channel changes its place."""

_DONE: dict[ActKind, str] = {
    "ban": "{login} is banned from #{channel}",
    "timeout": "{login} is timed out in #{channel} for {seconds} seconds",
    "lift": "{login} may talk in #{channel} again",
    "mod": "{login} is a moderator of #{channel}",
    "unmod": "{login} is no moderator of #{channel} any more",
    "vip": "{login} is a VIP of #{channel}",
    "unvip": "{login} is no VIP of #{channel} any more",
}
"""Kind -> what is said to the operator when it is done."""

_ENDS: dict[str, tuple[tuple[str, ...], str]] = {
    "lift": (("ban", "timeout"), "{login} is neither banned nor timed out in #{channel}"),
    "unmod": (("mod",), "{login} is no moderator of #{channel}"),
    "unvip": (("vip",), "{login} is no VIP of #{channel}"),
}
"""Kind -> what it ends, and what is said if there is nothing to end."""


def standing(rows: Sequence[Sanction], kind: str, user_id: str) -> str:
    """The kind of the row that stands for an account, of the family of `kind`; '' if there is none.

    Args:
        rows: as the store gives them: those with a position in order, then those that wait for one.
    """
    family = FAMILIES[kind]
    for row in reversed(rows):
        if row.target == user_id and FAMILIES[row.kind] == family:
            return row.kind
    return ""


class ChatActs(Preparer):
    """The verbs that concern what is said and done in one channel."""

    async def _act(self, wish: Wish) -> Prepared:
        channel = self._channel(wish)
        target = await self._account(wish)
        kind, seconds = self._kind(wish)
        if target.login == channel:
            raise InvalidRequest(f"{target.login} is the broadcaster of #{channel}: choose another account")
        rows = in_force(await self._store.sanctions(channel), self._clock.now())
        stands = standing(rows, kind, target.user_id)
        about = {"login": target.login, "channel": channel, "seconds": seconds}
        if kind in _ENDS and stands not in _ENDS[kind][0]:
            raise InvalidRequest(_ENDS[kind][1].format(**about))
        if kind == stands and kind in ("ban", "mod", "vip"):
            raise InvalidRequest(f"{_DONE[kind].format(**about)} already")
        name = f"wish:{wish.id}"
        act = Act(
            id=name,
            epoch=0,
            producer=name,
            number=1,
            kind=kind,
            by=Author("", wish.by, wish.by),
            target=target.user_id,
            target_login=target.login,
            seconds=seconds,
            reason=wish.reason,
        )
        now = self._clock.now()
        row = Sanction(name, channel, kind, target.user_id, target.login, wish.by, wish.reason, seconds, time=now)  # type: ignore[arg-type]  # the kinds of rows are those of `_DONE`

        async def do() -> None:
            await self._store.add_sanction(row)
            await self._append(channel, act)

        return self._acted(_DONE[kind].format(**about), do)

    def _kind(self, wish: Wish) -> tuple[ActKind, int]:
        """What is to be done, and for how many seconds."""
        kind, seconds = wish.args["kind"], wish.args.get("seconds") or 0
        known = next((known for known in _DONE if known == kind), None)
        if known is None:
            raise InvalidRequest(f"act: '{kind}' is nothing to do: use one of {', '.join(_DONE)}")
        if not isinstance(seconds, int) or isinstance(seconds, bool) or (kind == "timeout") != (seconds > 0):
            raise InvalidRequest("act: a timeout, and nothing else, has seconds: a whole number above 0")
        if seconds > LONGEST_TIMEOUT:
            raise InvalidRequest(f"act: a timeout lasts {LONGEST_TIMEOUT} seconds at most, which is two weeks")
        return known, seconds

    async def _usernotice(self, wish: Wish) -> Prepared:
        channel = self._channel(wish)
        account = await self._account(wish)
        kind, params = str(wish.args["kind"]), wish.args.get("params") or {}
        if not isinstance(params, dict) or not all(isinstance(value, str) for value in params.values()):
            raise InvalidRequest("usernotice: params must be an object of texts")
        rows = in_force(await self._store.sanctions(channel), self._clock.now())
        role = standing(rows, "mod", account.user_id)
        (relation,) = await self._store.relations([(channel, account.user_id)])
        name = f"wish:{wish.id}"
        record = UserNotice(
            id=name,
            epoch=0,
            producer=name,
            number=1,
            kind=kind,
            author=author(
                account,
                owner=account.login == channel,
                role="mod" if role == "mod" else "vip" if role == "vip" else "",
                relation=relation,
            ),
            system_msg=str(wish.args.get("system_msg") or ""),
            params=params,
            text=str(wish.args.get("text") or ""),
            emotes=str(wish.args.get("emotes") or ""),
        )
        return self._acted(f"#{channel} is shown {kind} of {account.login}", lambda: self._append(channel, record))

    async def _account(self, wish: Wish) -> Account:
        login = str(wish.args["login"]).lstrip("@").lower()
        account = await self._store.account(login)
        if account is None:
            raise InvalidRequest(f"there is no account {login[:25]}: add it first (godwit account add {login[:25]})")
        return account

    async def _append(self, channel: str, record: Act | UserNotice) -> None:
        """Append a record where the channel is; may be repeated: it counts once, since its producer numbers it so.

        Raises:
            InvalidRequest: it cannot be appended now; says whether it may have been.
        """
        for _ in range(TRIES):
            segment = await self._segment(channel)
            try:
                chat_log = self._logs[segment.cluster]
                made = msgspec.structs.replace(record, epoch=segment.epoch)
                sequence = await chat_log.append(channel, made, stream=segment.stream)
            except AppendUnknown as error:
                raise InvalidRequest(
                    f"nobody knows whether the chat log took it: look, and try again ({error})"
                ) from error
            except ChatLogUnavailable as error:
                raise InvalidRequest(
                    f"the chat log of {segment.cluster} does not take it: try again ({error})"
                ) from error
            moves = await self._store.moves(channel=channel, moving=True, limit=1)
            sealing = any(move.state in ("sealing", "sealed") for move in moves)
            # A seal is announced in the store first: if none is, what was appended lies before any.
            if not sealing and (await self._store.placement(channel)).segment == segment:
                if isinstance(record, Act):
                    await self._place(channel, record, segment, sequence)
                return
        raise InvalidRequest(f"#{channel} is being moved, so it may have had no effect: look, and try again")

    async def _place(self, channel: str, act: Act, segment: Segment, sequence: int) -> None:
        """Complete the row of an act (rule R2): nobody may read the channel before the record has expired."""
        try:
            page = await self._logs[segment.cluster].read(channel, sequence - 1, 1)
        except ChatLogUnavailable as error:
            log.warning("act_not_placed", channel=channel, act=act.id, error=str(error))
            return  # who reads the channel sees to it
        for entry in page.entries:
            if entry.sequence == sequence:
                await self._store.place_sanction(act.id, Position(segment.epoch, sequence), entry.time)

    async def _segment(self, channel: str) -> Segment:
        """Where to append: the channel has a row from now on (rule C10)."""
        placement = await self._store.placement(channel)
        if placement.default:
            wait = placement.drain_until - self._clock.now()
            if wait > 0:
                raise InvalidRequest(f"the default placement has just changed: try again in {wait:.0f} s")
            await self._store.pin([channel])
            placement = await self._store.placement(channel)
        if placement.segment.cluster not in self._logs:
            raise InvalidRequest(f"the chat log of {placement.segment.cluster} is not known here")
        return placement.segment
