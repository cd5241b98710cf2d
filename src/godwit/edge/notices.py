"""What a NOTICE says: message id -> text (NOTICE-1). Clients tell them apart by id and by text."""

from __future__ import annotations

TEXTS = {
    "already_banned": "{user} is already banned in this channel.",
    "bad_ban_self": "You cannot ban yourself.",
    "bad_delete_message_error": "The message could not be deleted: nothing recent has this id.",
    "bad_timeout_duration": "You cannot time a user out for more than {duration}.",
    "bad_timeout_self": "You cannot timeout yourself.",
    "bad_unban_no_ban": "{user} is not banned from this channel.",
    "ban_success": "{user} is now banned from this channel.",
    "delete_message_success": "The message from {user} is now deleted.",
    "godwit_moved": "This channel lives on cluster {cluster} now. Connect to {address} to go on.",
    "godwit_unavailable": "That could not be done now; nothing was changed. Please try again.",
    "godwit_unknown": "Your message may or may not have been delivered: {text}",
    "godwit_unsent": "Your message was not sent because the chat did not answer: {text}",
    "invalid_user": "Invalid username: {user}",
    "msg_banned": "You are permanently banned from talking in {channel}.",
    "msg_ratelimit": "Your message was not sent because you are sending messages too quickly.",
    "msg_room_not_found": "The room was not found.",
    "msg_timedout": "You are banned from talking in {channel} for {seconds} more seconds.",
    "no_permission": "You don't have permission to perform that action.",
    "timeout_no_timeout": "{user} is not timed out from this channel.",
    "timeout_success": "{user} has been timed out for {seconds} seconds.",
    "unban_success": "{user} is no longer banned from this channel.",
    "unrecognized_cmd": "Unrecognized command: /{command}",
    "untimeout_banned": '{user} is permanently banned. Use "/unban" to remove a ban.',
    "untimeout_success": "{user} is no longer timed out in this channel.",
    "usage_ban": (
        'Usage: "/ban <username> <reason>" - Permanently prevent a user from chatting. Reason is optional and '
        'will be shown to the target and other moderators. Use "/unban" to remove a ban.'
    ),
    "usage_clear": 'Usage: "/clear" - Clear chat history for all users in this room.',
    "usage_delete": 'Usage: "/delete <message id>" - Deletes the message with this id.',
    "usage_me": 'Usage: "/me <message>" - Send an "emote" message in the third person.',
    "usage_timeout": (
        'Usage: "/timeout <username> <duration><time unit> <reason>" - Temporarily prevent a user from chatting. '
        "Duration (optional, default=10 minutes) must be a positive integer; time unit (optional, default=s) must "
        "be one of s, m, h, d, w; maximum duration is 2 weeks. Combinations like 1d2h are also allowed. Reason is "
        'optional and will be shown to the target user and other moderators. Use "untimeout" to remove a timeout.'
    ),
    "usage_unban": 'Usage: "/unban <username>" - Removes a ban on a user.',
    "usage_untimeout": 'Usage: "/untimeout <username>" - Removes a timeout on a user.',
}
"""Texts with the places to fill in; what begins with `godwit_` is ours."""


def text(msg_id: str, **values: object) -> str:
    """The text of a NOTICE, filled in.

    Raises:
        KeyError: no such id, or a value is missing: a bug of ours.
    """
    return TEXTS[msg_id].format(**values)
