"""What a NOTICE says: message id -> text (NOTICE-1). Clients tell them apart by id and by text.

What begins with `godwit_` is ours, and so are the texts of `OURS`: ids that clients know, but whose text they don't.
"""

from __future__ import annotations

from collections.abc import Mapping

from godwit.tmi.dialect import Name

_ABUSE = "Please email support@twitch.tv if {who} is being abusive."
_AGAIN = "Please try again in a minute."

_SANCTIONS = {
    "already_banned": "{user} is already banned in this channel.",
    "bad_ban_admin": "You cannot ban admin {user}. " + _ABUSE.format(who="an admin"),
    "bad_ban_anon": "You cannot ban anonymous users.",
    "bad_ban_broadcaster": "You cannot ban the broadcaster.",
    "bad_ban_global_mod": "You cannot ban global moderator {user}. " + _ABUSE.format(who="a global moderator"),
    "bad_ban_mod": "You cannot ban moderator {user} unless you are the owner of this channel.",
    "bad_ban_self": "You cannot ban yourself.",
    "bad_ban_staff": "You cannot ban staff {user}. " + _ABUSE.format(who="a staff member"),
    "bad_delete_message_broadcaster": "You cannot delete the broadcaster's messages.",
    "bad_delete_message_mod": "You cannot delete messages from another moderator {user}.",
    "bad_timeout_admin": "You cannot timeout admin {user}. " + _ABUSE.format(who="an admin"),
    "bad_timeout_anon": "You cannot timeout anonymous users.",
    "bad_timeout_broadcaster": "You cannot timeout the broadcaster.",
    "bad_timeout_duration": "You cannot time a user out for more than {duration}.",
    "bad_timeout_global_mod": "You cannot timeout global moderator {user}. " + _ABUSE.format(who="a global moderator"),
    "bad_timeout_mod": "You cannot timeout moderator {user} unless you are the owner of this channel.",
    "bad_timeout_self": "You cannot timeout yourself.",
    "bad_timeout_staff": "You cannot timeout staff {user}. " + _ABUSE.format(who="a staff member"),
    "bad_unban_no_ban": "{user} is not banned from this channel.",
    "ban_success": "{user} is now banned from this channel.",
    "delete_message_success": "The message from {user} is now deleted.",
    "timeout_no_timeout": "{user} is not timed out from this channel.",
    "timeout_success": "{user} has been timed out for {seconds} seconds.",
    "unban_success": "{user} is no longer banned from this channel.",
    "untimeout_banned": '{user} is permanently banned. Use "/unban" to remove a ban.',
    "untimeout_success": "{user} is no longer timed out in this channel.",
}

_MODES = {
    "already_emote_only_off": "This room is not in emote-only mode.",
    "already_emote_only_on": "This room is already in emote-only mode.",
    "already_followers_off": "This room is not in followers-only mode.",
    "already_followers_on": "This room is already in {duration} followers-only mode.",
    "already_r9k_off": "This room is not in r9k mode.",
    "already_r9k_on": "This room is already in r9k mode.",
    "already_slow_off": "This room is not in slow mode.",
    "already_slow_on": "This room is already in {seconds}-second slow mode.",
    "already_subs_off": "This room is not in subscribers-only mode.",
    "already_subs_on": "This room is already in subscribers-only mode.",
    "bad_slow_duration": "You cannot set slow delay to more than {number} seconds.",
    "emote_only_off": "This room is no longer in emote-only mode.",
    "emote_only_on": "This room is now in emote-only mode.",
    "followers_off": "This room is no longer in followers-only mode.",
    "followers_on": "This room is now in {duration} followers-only mode.",
    "followers_on_zero": "This room is now in followers-only mode.",
    "r9k_off": "This room is no longer in r9k mode.",
    "r9k_on": "This room is now in r9k mode.",
    "slow_off": "This room is no longer in slow mode.",
    "slow_on": "This room is now in slow mode. You may send messages every {number} seconds.",
    "subs_off": "This room is no longer in subscribers-only mode.",
    "subs_on": "This room is now in subscribers-only mode.",
}

_ROLES = {
    "bad_mod_banned": "{user} is banned in this channel. You must unban this user before granting mod status.",
    "bad_mod_mod": "{user} is already a moderator of this channel.",
    "bad_unmod_mod": "{user} is not a moderator of this channel.",
    "mod_success": "You have added {user} as a moderator of this channel.",
    "no_mods": "There are no moderators of this channel.",
    "room_mods": "The moderators of this channel are: {users}",
    "unmod_success": "You have removed {user} as a moderator of this channel.",
    "vips_success": "The VIPs of this channel are: {users}.",
}

_HOSTING = {
    "bad_host_error": "There was a problem hosting {channel}. " + _AGAIN,
    "bad_host_hosting": "This channel is already hosting {channel}.",
    "bad_host_rate_exceeded": "Host target cannot be changed more than {number} times every half hour.",
    "bad_host_rejected": "This channel is unable to be hosted.",
    "bad_host_self": "A channel cannot host itself.",
    "bad_unhost_error": "There was a problem exiting host mode. " + _AGAIN,
    "host_off": "Exited host mode.",
    "host_on": "Now hosting {channel}.",
    "host_success": "{user} is now hosting you.",
    "host_success_viewers": "{user} is now hosting you for up to {number} viewers.",
    "hosts_remaining": "{number} host commands remaining this half hour.",
    "not_hosting": "No channel is currently being hosted.",
    "raid_error_already_raiding": "You already have a raid in progress.",
    "raid_error_forbidden": "You cannot raid this channel.",
    "raid_error_self": "A channel cannot raid itself.",
    "raid_error_unexpected": "There was a problem raiding {channel}. " + _AGAIN,
    "raid_notice_restricted_chat": "This channel has follower or subscriber only chat.",
    "unraid_error_no_active_raid": "You do not have an active raid.",
    "unraid_error_unexpected": "There was a problem stopping the raid. " + _AGAIN,
    "unraid_success": "The raid has been cancelled.",
}

_OTHERS = {
    "bad_commercial_error": "Failed to start commercial.",
    "cmds_available": ("Commands available to you in this room (use /help <command> for details): {commands}"),
    "color_changed": "Your color has been changed.",
    "commercial_success": (
        "Initiating {number} second commercial break. Please keep in mind that your stream is still live and not "
        "everyone will get a commercial."
    ),
    "invalid_user": "Invalid username: {user}",
    "no_help": "No help available.",
    "no_permission": "You don't have permission to perform that action.",
    "turbo_only_color": (
        "Only turbo users can specify an arbitrary hex color. Use one of the following instead: {colors}."
    ),
    "unrecognized_cmd": "Unrecognized command: /{command}",
    "unsupported_chatrooms_cmd": "The command /{command} cannot be used in a chatroom.",
}

_MESSAGES = {
    "msg_bad_characters": (
        "Your message was not sent because it contained too many unprocessable characters. If you believe this is an "
        "error, please rephrase and try again."
    ),
    "msg_banned": "You are permanently banned from talking in {channel}.",
    "msg_channel_suspended": "This channel has been suspended.",
    "msg_duplicate": (
        "Your message was not sent because it is identical to the previous one you sent, less than 30 seconds ago."
    ),
    "msg_emoteonly": (
        "This room is in emote only mode. You can find your currently available emoticons using the smiley in the "
        "chat text area."
    ),
    "msg_followersonly": ("This room is in {duration} followers-only mode. Follow {channel} to join the community!"),
    "msg_followersonly_followed": (
        "This room is in {duration} followers-only mode. You have been following for {followed}. Continue following "
        "to chat!"
    ),
    "msg_followersonly_zero": ("This room is in followers-only mode. Follow {channel} to join the community!"),
    "msg_r9k": "This room is in r9k mode and the message you attempted to send is not unique.",
    "msg_ratelimit": "Your message was not sent because you are sending messages too quickly.",
    "msg_room_not_found": "The room was not found.",
    "msg_slowmode": (
        "This room is in slow mode and you are sending messages too quickly. You will be able to talk again in "
        "{seconds} seconds."
    ),
    "msg_subsonly": (
        "This room is in subscribers only mode. To talk, purchase a channel subscription at "
        "https://www.twitch.tv/products/{channel}/ticket?ref=subscriber_only_mode_chat."
    ),
    "msg_suspended": "Your account has been suspended.",
    "msg_timedout": "You are banned from talking in {channel} for {seconds} more seconds.",
}

_WHISPERS = {
    "whisper_banned": "You have been banned from sending whispers.",
    "whisper_banned_recipient": "That user has been banned from receiving whispers.",
    "whisper_invalid_args": "Usage: <login> <message>",
    "whisper_invalid_login": "No user matching that login.",
    "whisper_invalid_self": "You cannot whisper to yourself.",
    "whisper_limit_per_min": "You are sending whispers too fast. Try again in a minute.",
    "whisper_limit_per_sec": "You are sending whispers too fast. Try again in a second.",
}

_USAGE = {
    "usage_ban": (
        'Usage: "/ban <username> <reason>" - Permanently prevent a user from chatting. Reason is optional and '
        'will be shown to the target and other moderators. Use "/unban" to remove a ban.'
    ),
    "usage_clear": 'Usage: "/clear" - Clear chat history for all users in this room.',
    "usage_color": (
        'Usage: "/color" <color> - Change your username color. Color must be in hex (#000000) or one of the '
        "following: Blue, BlueViolet, CadetBlue, Chocolate, Coral, DodgerBlue, Firebrick, GoldenRod, Green, HotPink, "
        "OrangeRed, Red, SeaGreen, SpringGreen, YellowGreen."
    ),
    "usage_commercial": (
        'Usage: "/commercial <length>" - Triggers a commercial. Length (optional) must be a positive number of seconds.'
    ),
    "usage_disconnect": 'Usage: "/disconnect" - Reconnects to chat.',
    "usage_emote_only_off": 'Usage: "/emoteonlyoff" - Disables emote-only mode.',
    "usage_emote_only_on": (
        'Usage: "/emoteonly" - Enables emote-only mode (only emoticons may be used in chat). Use /emoteonlyoff to '
        "disable."
    ),
    "usage_followers_off": 'Usage: "/followersoff" - Disables followers-only mode.',
    "usage_followers_on": (
        'Usage: "/followers" - Enables followers-only mode (only users who have followed for "duration" may chat). '
        'Examples: "30m", "1 week", "5 days 12 hours". Must be less than 3 months.'
    ),
    "usage_help": 'Usage: "/help" - Lists the commands available to you in this room.',
    "usage_host": 'Usage: "/host <channel>" - Host another channel. Use "/unhost" to unset host mode.',
    "usage_marker": (
        'Usage: "/marker <optional comment>" - Adds a stream marker (with an optional comment, max 140 characters) at '
        "the current timestamp. You can use markers in the Highlighter for easier editing."
    ),
    "usage_me": 'Usage: "/me <message>" - Send an "emote" message in the third person.',
    "usage_mod": (
        'Usage: "/mod <username>" - Grant mod status to a user. Use "/mods" to list the moderators of this channel.'
    ),
    "usage_mods": 'Usage: "/mods" - Lists the moderators of this channel.',
    "usage_r9k_off": 'Usage: "/r9kbetaoff" - Disables r9k mode.',
    "usage_r9k_on": 'Usage: "/r9kbeta" - Enables r9k mode. Use "/r9kbetaoff" to disable.',
    "usage_raid": 'Usage: "/raid <channel>" - Raid another channel. Use "/unraid" to cancel the Raid.',
    "usage_slow_off": 'Usage: "/slowoff" - Disables slow mode.',
    "usage_slow_on": (
        'Usage: "/slow" <duration> - Enables slow mode (limit how often users may send messages). Duration (optional, '
        'default={number}) must be a positive integer number of seconds. Use "/slowoff" to disable.'
    ),
    "usage_subs_off": 'Usage: "/subscribersoff" - Disables subscribers-only mode.',
    "usage_subs_on": (
        'Usage: "/subscribers" - Enables subscribers-only mode (only subscribers may chat in this channel). Use '
        '"/subscribersoff" to disable.'
    ),
    "usage_timeout": (
        'Usage: "/timeout <username> <duration><time unit> <reason>" - Temporarily prevent a user from chatting. '
        "Duration (optional, default=10 minutes) must be a positive integer; time unit (optional, default=s) must "
        "be one of s, m, h, d, w; maximum duration is 2 weeks. Combinations like 1d2h are also allowed. Reason is "
        'optional and will be shown to the target user and other moderators. Use "untimeout" to remove a timeout.'
    ),
    "usage_unban": 'Usage: "/unban <username>" - Removes a ban on a user.',
    "usage_unhost": 'Usage: "/unhost" - Stop hosting another channel.',
    "usage_unmod": (
        'Usage: "/unmod <username>" - Revoke mod status from a user. Use "/mods" to list the moderators of this '
        "channel."
    ),
    "usage_unraid": 'Usage: "/unraid" - Cancel the Raid.',
    "usage_untimeout": 'Usage: "/untimeout <username>" - Removes a timeout on a user.',
}

OURS: Mapping[str, str] = {
    "bad_delete_message_error": "The message could not be deleted: nothing recent has this id.",
    "bad_unvip_grantee_not_vip": "{user} is not a VIP of this channel.",
    "bad_vip_grantee_already_vip": "{user} is already a VIP of this channel.",
    "bad_vip_grantee_banned": "{user} is banned in this channel. You must unban this user before granting VIP status.",
    "bad_vip_max_vips_reached": "This channel has {number} VIPs, and cannot have more.",
    "no_vips": "This channel does not have any VIPs.",
    "unvip_success": "You have removed {user} as a VIP of this channel.",
    "usage_announce": (
        'Usage: "/announce <message>" - Call attention to your message with a highlight. Use "/announceblue", '
        '"/announcegreen", "/announceorange" or "/announcepurple" for another color.'
    ),
    "usage_delete": 'Usage: "/delete <message id>" - Deletes the message with this id.',
    "usage_unvip": 'Usage: "/unvip <username>" - Revoke VIP status from a user. Use "/vips" to list the VIPs.',
    "usage_vip": 'Usage: "/vip <username>" - Grant VIP status to a user. Use "/vips" to list the VIPs.',
    "usage_vips": 'Usage: "/vips" - Lists the VIPs of this channel.',
    "usage_w": 'Usage: "/w <login> <message>" - Whisper to a user.',
    "vip_success": "You have added {user} as a VIP of this channel.",
    "godwit_marker": "A stream marker has been added.",
    "godwit_moved": "This channel lives on cluster {cluster} now. Connect to {address} to go on.",
    "godwit_offline": "That can be done while the channel is live only.",
    "godwit_read_only": "Your token may only read: it lacks the scope chat:edit.",
    "godwit_scope": "Your token lacks the scope {scope}.",
    "godwit_raid": 'Raiding {channel} in {seconds} seconds. Use "/unraid" to cancel the raid.',
    "godwit_unavailable": "That could not be done now; nothing was changed. Please try again.",
    "godwit_unknown": "Your message may or may not have been delivered: {text}",
    "godwit_unsent": "Your message was not sent because the chat did not answer: {text}",
    "godwit_whisper_recipients": "You have whispered to too many people today.",
}

TEXTS: Mapping[str, str] = {
    **_SANCTIONS,
    **_MODES,
    **_ROLES,
    **_HOSTING,
    **_OTHERS,
    **_MESSAGES,
    **_WHISPERS,
    **_USAGE,
    **OURS,
}
"""Texts with the places to fill in."""

_ROOM = (
    "already_banned",
    "bad_mod_banned",
    "bad_mod_mod",
    "bad_unban_no_ban",
    "bad_unmod_mod",
    "ban_success",
    "mod_success",
    "no_mods",
    "room_mods",
    "timeout_no_timeout",
    "unban_success",
    "unmod_success",
    "untimeout_success",
)

TEXTS_2016: Mapping[str, str] = {
    **TEXTS,
    **{msg_id: TEXTS[msg_id].replace("this channel", "this room") for msg_id in _ROOM},
}
"""The same in the dialect of 2016 (OLD-9)."""

_TABLES = {"now": TEXTS, "2016": TEXTS_2016}


def text(msg_id: str, dialect: Name = "now", /, **values: object) -> str:
    """The text of a NOTICE, filled in.

    Args:
        dialect: in whose words.

    Raises:
        KeyError: no such id, or a value is missing: a bug of ours.
    """
    return _TABLES[dialect][msg_id].format(**values)
