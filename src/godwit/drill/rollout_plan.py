"""The network of the rollout drill and the rollout through it: a pure plan from the numbers asked for.

Channels have parts that repeat in a fixed order, so that each wave has hot and cold ones, and live ones among both.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import msgspec

from godwit.drill.plan import FOLLOWING, TAGGED, Part, channel_names, deal
from godwit.errors import InvalidSetting

RolloutFault = Literal["none", "drop", "repeat", "swap", "move-live", "join-flood"]

STAFF, FRIENDS, PARTNERS, EVERYONE = "staff", "friends", "partners", "everyone"
"""The waves: a list of names, partners that asked for it, all partners, and the rest, whether it likes to or not."""

DESK = "desk"
"""The gate of the last wave that asks the drill itself; it turns red in the middle."""

OFFLINE_FOR = 1
"""Seconds that a stream must have ended before its channel moves."""

LAST_WAVE = 8.0
"""Seconds that the last wave takes at least, so that there is time to turn its gate red in the middle."""

BOT = "everywhere"
"""Login of the verified bot in all channels."""


def _option(default: Any, help: str) -> Any:
    return field(default=default, metadata={"help": help})


@dataclass(frozen=True, slots=True)
class RolloutOptions:
    """How large a rollout drill is. `help_of` gives the help text of each."""

    channels: int = _option(5000, "Channels of the network; a verified bot is in all of them.")
    hot: int = _option(60, "Channels in which people talk.")
    crowd: int = _option(400, "Members of the largest channel.")
    joins: int = _option(2000, "JOINs that the verified bot may make in a window.")
    window: float = _option(10.0, "Seconds of that window.")
    seed: int = _option(1, "Seed of what is said, and when.")
    fault: RolloutFault = field(
        default="none",
        metadata={"help": "Do something wrong, to see that it is found: drop, repeat, swap, move-live or join-flood."},
    )

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            InvalidSetting: there would be nothing to show.
        """
        for name, least in (("channels", 100), ("hot", 12), ("crowd", 1), ("joins", 20)):
            if getattr(self, name) < least:
                raise InvalidSetting(f"--{name} is {getattr(self, name)}: it must be {least} or more")
        if self.channels > 100_000:
            raise InvalidSetting(f"--channels is {self.channels}: it must be 100000 or less")
        if self.hot * 2 > self.channels:
            raise InvalidSetting(f"--hot is {self.hot}: it must be half of --channels or less")
        if not 1.0 <= self.window <= 60.0:
            raise InvalidSetting(f"--window is {self.window:g}: it must be from 1 to 60 seconds")

    @property
    def told_per_second(self) -> float:
        """How many moves a second the bot may be told of, about."""
        return self.joins / self.window


def help_of(option: str) -> str:
    """The help text of an option."""
    return next(str(item.metadata["help"]) for item in fields(RolloutOptions) if item.name == option)


class Network(msgspec.Struct, frozen=True):
    """Which channel has which part.

    Attributes:
        names: all channels; the first `hot` are those in which people talk, the very first has the crowd.
        staff, friends, partners, opted_out: by what operators know of them; all others are nobody special.
        rowless: channels that nobody has told the network of.
        empty: rowless ones that nobody is in, not even the bot; they are not among `names`.
        early: live at the start; their streams end while the partners wait for their approval.
        patient: live at the start, for as long as anything else moves forward.
        returning: their streams begin on the new cluster, while the rollout is paused; so the way back waits for them.
        late: their streams begin when all is back, and end when everything else has moved.
    """

    names: tuple[str, ...]
    hot: tuple[str, ...]
    staff: tuple[str, ...]
    friends: tuple[str, ...]
    partners: tuple[str, ...]
    opted_out: tuple[str, ...]
    rowless: tuple[str, ...]
    empty: tuple[str, ...]
    early: tuple[str, ...]
    patient: tuple[str, ...]
    returning: tuple[str, ...]
    late: tuple[str, ...]


def network(options: RolloutOptions) -> Network:
    """Give each channel its part."""
    names = channel_names(options.channels)
    hot, cold = names[1 : options.hot], names[options.hot :]
    rowless = cold[-(options.channels // 10) :]
    known = cold[: len(cold) - len(rowless)]
    few = max(options.channels // 500, 4)

    def some(skip_hot: int, of_hot: int, skip_cold: int, of_cold: int) -> tuple[str, ...]:
        return hot[skip_hot : skip_hot + of_hot] + known[skip_cold : skip_cold + of_cold]

    staff = some(0, 2, 0, few - 2)
    friends = some(2, 3, few, 3 * few)
    partners = some(5, 3, 4 * few, options.channels // 5)
    return Network(
        names=names,
        hot=names[: options.hot],
        staff=staff,
        friends=friends,
        partners=partners,
        opted_out=(*hot[7:9], *known[-few:], partners[-1]),
        rowless=rowless,
        empty=tuple(f"nobody{index}" for index in range(3)),
        early=(hot[1], hot[4], partners[4]),
        patient=(staff[-1], hot[5], known[-few - 1], known[-few - 2]),
        returning=(hot[0], hot[2], friends[-1]),
        late=(hot[3], hot[9], known[-few - 3], rowless[0]),
    )


def facts(network: Network, crowd: int) -> str:
    """What operators know of the channels, as JSON lines.

    Args:
        crowd: members of the largest channel.
    """
    partners, opted_out = {*network.friends, *network.partners}, set(network.opted_out)
    unknown = set(network.rowless)
    rows = []
    for channel in network.names:
        if channel in unknown:
            continue
        opt = "in" if channel in network.friends else "out" if channel in opted_out else ""
        tier = "staff" if channel in network.staff else "partner" if channel in partners else ""
        row: dict[str, Any] = {"channel": channel, "tier": tier, "opt": opt}
        if channel == network.names[0]:
            row["members"] = crowd
        rows.append(json.dumps(row))
    return "\n".join(rows)


def crowd(options: RolloutOptions, network: Network) -> list[Part]:
    """The clients: talkers and listeners in the hot channels, half of them following, and the crowd in the first."""
    count = options.hot
    parts = deal(count, count, count, count)
    for index in range(options.crowd):
        follows = index % 2 == 0
        parts.append(
            Part(
                f"crowd{index}",
                "follower" if follows else "legacy",
                "ws" if index % 4 < 2 else "tcp",
                FOLLOWING if follows else TAGGED if index % 8 == 1 else (),
                network.names[:1],
            )
        )
    return parts


def definition(options: RolloutOptions, network: Network, source: str, target: str, desk: str) -> str:
    """The rollout's file.

    Args:
        desk: the URL of the gate that turns red.
    """
    listed = ", ".join(f'"{channel}"' for channel in network.staff)
    rest = len(network.names) - len(network.staff) - len(network.friends) - len(network.partners)
    rate = min(options.told_per_second, max(rest / LAST_WAVE, 10.0))
    return f"""name = "drill"
to = "{target}"
from = ["{source}"]
reason = "to see whether it can be done"
offline_for = "{OFFLINE_FOR}s"
starts_within = "0s"

[budget]
in_flight = 10
hot_per_second = 10
cold_in_flight = 1000
cold_per_second = {rate:g}

[[wave]]
name = "{STAFF}"
channels = [{listed}]

[[wave.gate]]
kind = "soak"
seconds = "1s"

[[wave]]
name = "{FRIENDS}"
tiers = ["partner"]
opt_in = true

[[wave.gate]]
kind = "metric"
value = "gaps"
at_most = 0
every = "0.5s"
samples = 1
fails = 1

[[wave]]
name = "{PARTNERS}"
tiers = ["partner"]

[[wave.gate]]
kind = "approval"

[[wave.gate]]
kind = "issues"

[[wave]]
name = "{EVERYONE}"
rest = true
mandatory = true

[[wave.gate]]
kind = "http"
name = "{DESK}"
when = "during"
value = "{desk}"
every = "0.25s"
samples = 1
fails = 1

[[wave.gate]]
kind = "metric"
value = "publish_errors"
at_most = 0
every = "1s"
samples = 1
fails = 1
"""
