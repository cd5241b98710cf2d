"""Who may log in (LOGIN-1, LOGIN-4, LOGIN-5): the gate knows whose token it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from godwit.chat.limits import Charge
from godwit.edge.auth.base import Grant
from godwit.errors import IdentityUnavailable, StoreUnavailable
from godwit.tmi.events import LoginRequested
from godwit.tmi.login import LoginFailure
from godwit.values import Account

if TYPE_CHECKING:
    from godwit.edge.session import Session

log = structlog.get_logger()


def login_requested(session: Session, event: LoginRequested) -> None:
    """Check a login; the protocol keeps what the client sends meanwhile (LOGIN-7)."""
    if session.node.pace.locked_out(session):
        session.node.counts.logins_over += 1
        _refuse(session, LoginFailure.UNSUCCESSFUL)
    elif event.token is None:
        _accept(session, Account("", event.nick))
    else:
        session.node.tasks.start(
            _check(session, event.nick, event.token),
            "login",
            failed=lambda error: _refuse(session, LoginFailure.ERROR),
        )


async def _check(session: Session, nick: str, token: str) -> None:
    try:
        grant = await session.node.gate.check(nick, token)
    except (StoreUnavailable, IdentityUnavailable) as error:
        log.warning("login_failed", nick=nick, error=str(error))
        _refuse(session, LoginFailure.ERROR)
        return
    if grant is None:
        _refuse(session, LoginFailure.AUTHENTICATION_FAILED)
    else:
        _accept(session, grant.account, grant)


def _accept(session: Session, account: Account, grant: Grant | None = None) -> None:
    if session.protocol.closing:
        return
    if account.user_id and not _may_log_in(session, account):
        return
    session.identity = account
    session.grant = grant
    session.node.logged_in(session)
    session.protocol.login_accepted(account)
    session.drain()  # the welcome goes before the answer to a JOIN that was sent behind NICK
    session.act(session.protocol.read_held())


def _may_log_in(session: Session, account: Account) -> bool:
    """Charge a login to the account; past the limit it is refused (LIMIT-3, LIMIT-4)."""
    charge = session.node.pace.login(account.user_id, account.bot)
    if charge is Charge.CHARGED:
        return True
    if charge is Charge.OVER_FIRST:
        log.warning("login_limit", nick=account.login, cluster=session.node.cluster)
    session.node.counts.logins_over += 1
    _refuse(session, LoginFailure.UNSUCCESSFUL)
    return False


def _refuse(session: Session, reason: LoginFailure) -> None:
    if not session.protocol.closing:
        session.node.counts.logins_refused += 1
        session.protocol.login_failed(reason)
        session.drain()
