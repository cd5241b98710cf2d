"""What a store says when it refuses: the same words from every implementation."""

from __future__ import annotations

from godwit.errors import InvalidRequest, MoveRefused, StoreUnavailable
from godwit.values import Move


def no_default() -> StoreUnavailable:
    """Nobody has said yet where channels without a row are."""
    return StoreUnavailable("the store has no default placement yet; it gets one when a server first starts on it")


def move_under_way(move: Move) -> MoveRefused:
    """The channel has an unfinished move."""
    return MoveRefused(
        f"#{move.channel} is already on its way to {move.target} (move {move.id}, {move.state}); "
        f"wait for its end, watch it with: godwit channel show '#{move.channel}'"
    )


def went_live(move: Move) -> str:
    """Why a move was cancelled in place of the seal."""
    return f"#{move.channel} went live before the switch"


def held(move: Move) -> str:
    """Why a move was cancelled in place of the seal."""
    return f"#{move.channel} is held: release it first, or move it by force"


def user_id_taken(user_id: str, login: str) -> InvalidRequest:
    """Another login has the user id."""
    return InvalidRequest(f"user id {user_id} belongs to another login than {login}; leave it out to get a free one")


def no_account(login: str) -> InvalidRequest:
    """There is no account to give a token to."""
    return InvalidRequest(f"there is no account {login}; add it with: godwit account add {login}")


def token_taken(login: str) -> InvalidRequest:
    """The token lets somebody else in."""
    return InvalidRequest(f"this token belongs to another account than {login}; make a new one")
