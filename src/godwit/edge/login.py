"""Who may log in (LOGIN-1, LOGIN-4, LOGIN-5).

With open authentication any legal nick with any token exists and owns the channel of its name; else the
token must be one of the store's, and belong to the nick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from godwit.chat.limits import Charge
from godwit.errors import InvalidRequest, StoreUnavailable
from godwit.store.base import Store
from godwit.tmi.events import LoginRequested
from godwit.tmi.login import LoginFailure
from godwit.values import Account, derived_id

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
        account = await _account(session, nick, token)
    except StoreUnavailable as error:
        log.warning("login_failed", nick=nick, error=str(error))
        _refuse(session, LoginFailure.ERROR)
        return
    if account is None:
        _refuse(session, LoginFailure.AUTHENTICATION_FAILED)
    else:
        _accept(session, account)


async def _account(session: Session, nick: str, token: str) -> Account | None:
    store = session.node.store
    if session.node.settings.auth.mode == "open":
        return await store.account(nick) or await _add_account(store, nick)
    found = await store.check_token(token)
    return found[0] if found and found[0].login == nick else None


async def _add_account(store: Store, nick: str) -> Account:
    try:
        return await store.add_account(Account(derived_id(nick), nick))
    except InvalidRequest:
        return await store.add_account(Account("", nick))  # another login has the same id


def _accept(session: Session, account: Account) -> None:
    if session.protocol.closing:
        return
    if account.user_id and not _may_log_in(session, account):
        return
    session.identity = account
    session.node.logged_in(session)
    session.act(session.protocol.login_accepted(account))


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
