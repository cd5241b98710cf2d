"""Every error that Godwit raises on purpose, as one tree.

::

    GodwitError                  never raised itself
    ├── LocalProtocolError       we were about to break the TMI dialect
    ├── RemoteProtocolError      the peer broke it; carries the reply to send
    ├── InvalidRequest           an operator or client asked for something that cannot be; says what to do
    │   ├── UnknownCluster
    │   ├── UnknownChannel
    │   ├── MoveRefused          a move that the channel's state does not allow
    │   ├── InvalidSetting
    │   ├── LogNotPrepared       the chat log's streams are missing or do not fit; says what to do
    │   └── StoreNotPrepared     the store's tables are missing or of another version; says what to do
    ├── StaleEpoch               a write on knowledge that has been superseded
    ├── ChatLogUnavailable       the chat log did not answer
    │   ├── AppendUnknown        a time-out: the append may still land
    │   └── DeadLog              the stream named by the segment is gone or another one (rule L2)
    ├── StoreUnavailable         the store did not answer
    │   └── EdgeUnavailable      an edge did not: what it knows of its clients is missing; names it and says what to do
    ├── IdentityUnavailable      whoever knows about tokens outside of the store did not answer
    └── ClientError              a chat client could not do what its user asked; never raised itself
        ├── LoginRefused         the server refused the nick or the token: trying again is of no use
        ├── JoinFailed           the client could not get into the channel; says why
        ├── SayRefused           the server refused a message; carries the reason's id
        ├── SayUnknown           a message was sent and not acknowledged: it may have been said
        ├── ClientClosed         the client has been closed
        └── DirectoryUnavailable the directory did not answer
"""

from __future__ import annotations


class GodwitError(Exception):
    """Base of all errors of Godwit."""


class LocalProtocolError(GodwitError):
    """We were about to send something that the protocol forbids: a bug of ours."""


class RemoteProtocolError(GodwitError):
    """The peer sent something that the protocol forbids.

    Attributes:
        reply: the line to answer with, or None if silence is the right answer.
    """

    def __init__(self, message: str, reply: bytes | None = None) -> None:
        super().__init__(message)
        self.reply = reply


class InvalidRequest(GodwitError):
    """Somebody asked for what cannot be; the message is one line and says what to do."""


class UnknownCluster(InvalidRequest):
    """The cluster is not configured."""


class UnknownChannel(InvalidRequest):
    """The name cannot be a channel."""


class MoveRefused(InvalidRequest):
    """The channel's state does not allow the move; nothing was changed."""


class InvalidSetting(InvalidRequest):
    """A setting does not exist or has a value it cannot have."""


class LogNotPrepared(InvalidRequest):
    """The streams of a chat log are missing or do not fit the settings; the message says what to do."""


class StoreNotPrepared(InvalidRequest):
    """The store's database is not what this version works with; the message says what to do."""


class StaleEpoch(GodwitError):
    """The stored epoch is not lower than the one to be written."""


class ChatLogUnavailable(GodwitError):
    """The chat log did not answer; nothing is known to have happened."""


class AppendUnknown(ChatLogUnavailable):
    """An append timed out: it may still land (rule L6)."""


class DeadLog(ChatLogUnavailable):
    """The stream that a segment names is missing or was created anew (rule L2)."""


class StoreUnavailable(GodwitError):
    """The store did not answer."""


class IdentityUnavailable(GodwitError):
    """Whoever knows about tokens outside of the store did not answer, or not in a way that can be read."""


class EdgeUnavailable(StoreUnavailable):
    """An edge did not answer: what only it knows is missing, as if it were of the store; the message names it."""


class ClientError(GodwitError):
    """Base of what a chat client tells its user."""


class LoginRefused(ClientError):
    """The server refused the nick or the token; trying again is of no use."""


class JoinFailed(ClientError):
    """The client could not get into the channel; the message says why."""


class SayRefused(ClientError):
    """The server refused a message.

    Attributes:
        msg_id: the reason's id, such as `msg_banned`; empty if the client itself refused.
    """

    def __init__(self, message: str, msg_id: str = "") -> None:
        super().__init__(message)
        self.msg_id = msg_id


class SayUnknown(ClientError):
    """A message was sent and not acknowledged: it may have been said."""


class ClientClosed(ClientError):
    """The client has been closed, or was never opened."""


class DirectoryUnavailable(ClientError):
    """The directory did not answer, or not in a way that can be read."""
