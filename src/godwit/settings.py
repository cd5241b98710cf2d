"""Settings as data: section, name, default and help in one place.

Floor 4 loads them (TOML file, `GODWIT_*`, `--set`); everything below receives these plain values.
`docs/settings.md` is checked against this file.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Literal

CLUSTERS = ("main", "aws", "event", "group")
"""The clusters of the default network; the first is the default placement."""


def _setting(default: Any, help: str) -> Any:
    return field(default=default, metadata={"help": help})


@dataclass(frozen=True, slots=True)
class EdgeSettings:
    """Listeners and sessions."""

    host: str = _setting("127.0.0.1", "Address to listen on. Anything but loopback needs configured authentication.")
    tcp_port: int = _setting(6667, "First TCP port; the clusters take this one and the next ones, in order.")
    ws_port: int = _setting(8080, "First WebSocket port; the clusters take this one and the next ones, in order.")
    tls_port: int = _setting(6697, "First port for TLS on TCP, if there is a certificate; counted on like the others.")
    wss_port: int = _setting(8443, "First port for TLS on WebSocket, if there is a certificate; the same.")
    certificate: str = _setting(
        "", "PEM file with the server's certificate and its chain; empty: no TLS. Read again at SIGHUP."
    )
    key: str = _setting("", "PEM file with the certificate's key; empty: it is in the same file.")
    tcp: bool = _setting(True, "Listen on TCP without TLS.")
    ws: bool = _setting(True, "Listen on WebSocket without TLS.")
    edges: int = _setting(1, "Edges per cluster in one process (they share the cluster's ports in turn).")
    login_timeout: float = _setting(30.0, "Seconds a connection may take to log in.")
    ping_interval: float = _setting(300.0, "Seconds of silence from a client after which it is sent a PING.")
    pong_timeout: float = _setting(60.0, "Seconds after an unanswered PING before the connection is closed.")
    max_line: int = _setting(8192, "Longest input line in bytes, tags included; longer ones are refused with 417.")
    send_buffer: int = _setting(1_048_576, "Bytes that may wait for a client that does not read; then it is closed.")
    pending_per_sender: int = _setting(100, "Messages of one connection to one channel that may wait for the chat log.")
    reconnect_grace: float = _setting(5.0, "Seconds between RECONNECT and the close, at shutdown.")
    drain_spread: float = _setting(
        5.0, "Seconds over which an edge process that is told to end spreads its RECONNECTs; serve sends them at once."
    )
    reuse_port: bool = _setting(False, "Share the ports with other processes of this machine (SO_REUSEPORT).")
    retire_spread: float = _setting(
        300.0, "Seconds over which the RECONNECTs to the connections of a retired cluster are spread."
    )
    linger: float = _setting(30.0, "Seconds an edge goes on reading a channel after its last member left.")
    recent: int = _setting(500, "Messages per channel that an edge keeps for clients that resume.")
    wide: int = _setting(
        100, "A connection in more channels than this is a bot that sits everywhere; it alone makes no channel hot."
    )
    raid_delay: float = _setting(10.0, "Seconds between /raid and the raid, in which it can be called off; 0: at once.")
    native: bool = _setting(
        True, "Hand lines to many clients in C, where that was built; off: in Python, which costs more per client."
    )
    turbo_colors: bool = _setting(False, "Any color for one's name is for accounts with a turbo badge alone.")
    dialect: dict[str, Literal["now", "2016"]] = field(
        default_factory=dict,
        metadata={"help": "Dialect per cluster, e.g. dialect.main = '2016'; one that is not named speaks that of now."},
    )


@dataclass(frozen=True, slots=True)
class LogSettings:
    """The chat log of the embedded default."""

    max_age: float = _setting(900.0, "Seconds that records are kept.")
    max_records: int = _setting(5000, "Records per channel that are kept; open and seal are not counted.")
    compare_interval: float = _setting(5.0, "Seconds between comparisons of a reader with the end of its log.")
    append_timeout: float = _setting(5.0, "Seconds after which an append counts as unknown and is tried again.")
    hold: float = _setting(45.0, "Seconds a message may wait for the chat log before its sender is told so.")
    duplicate_window: float = _setting(120.0, "Seconds within which the log stores a record once per id and epoch.")


@dataclass(frozen=True, slots=True)
class NatsSettings:
    """Chat logs in NATS JetStream; how long records are kept is in `LogSettings`."""

    servers: dict[str, list[str]] = field(
        default_factory=dict,
        metadata={
            "help": "URLs of the NATS servers per cluster, e.g. servers.main = ['nats://10.0.0.1:4222']; "
            "a cluster without any has its log in the process."
        },
    )
    domains: dict[str, str] = field(
        default_factory=dict,
        metadata={
            "help": "JetStream domains per cluster, e.g. domains.aws = 'aws'; needed where a cluster's servers are "
            "reached through a leaf node."
        },
    )
    credentials: str = _setting("", "File with the NATS user's credentials; empty: none are needed.")
    streams: int = _setting(4, "Streams per cluster that channels are spread over; cannot be changed afterwards.")
    replicas: Literal[1, 3, 5] = _setting(3, "Servers that hold each record before it counts as stored.")
    storage: Literal["file", "memory"] = _setting(
        "file", "Where servers keep records; memory is for one server that never restarts, or for trying."
    )
    max_bytes: int = _setting(1_073_741_824, "Bytes per stream; a full one refuses appends until records expire.")


@dataclass(frozen=True, slots=True)
class MoveSettings:
    """How a channel moves."""

    lease: float = _setting(10.0, "Seconds for which an edge may act on a placement without asking the store again.")
    drain: float = _setting(60.0, "Seconds for which the cluster that was left serves everybody, after a switch.")
    legacy_rule: Literal["bridge", "part", "reconnect"] = _setting(
        "bridge",
        "What happens to members that have not followed by then: bridge (serve on), part, or reconnect.",
    )
    notice_share: float = _setting(
        0.95,
        "Share of its JOIN limit, at most 1, up to which a client is sent SERVERCHANGE; the rest waits. 0: no limit.",
    )
    destination: Literal["tags", "parameter", "none"] = _setting(
        "tags", "How SERVERCHANGE names the destination: in tags, as an appended parameter, or not at all."
    )


@dataclass(frozen=True, slots=True)
class DirectorySettings:
    """The HTTP service: directory, API and metrics."""

    host: str = _setting("127.0.0.1", "Address to listen on.")
    port: int = _setting(8000, "Port to listen on.")
    public: dict[str, dict[str, list[str]]] = field(
        default_factory=dict,
        metadata={
            "help": "Public addresses per cluster and transport, as clients reach them, "
            "e.g. public.aws.tcp = ['irc.example.net:6667']."
        },
    )
    feed_poll: float = _setting(1.0, "Seconds between looks at the store for changes that other processes wrote.")


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """Who may tell that a stream began or ended, besides operators."""

    token: str = _setting("", "Token of the webhook POST /hooks/live; empty: the webhook is closed.")
    eventsub_secret: str = _setting(
        "", "Secret of the EventSub subscriptions that call POST /hooks/eventsub; empty: it is closed."
    )


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Where placements, accounts and journals are kept."""

    url: str = _setting(
        "", "PostgreSQL, e.g. postgresql://godwit@db.example.net/godwit; empty: the SQLite file of store.path."
    )
    password: str = _setting("", "Password for PostgreSQL, in place of one in store.url.")
    connections: int = _setting(5, "Connections to PostgreSQL that a process keeps, at most.")
    path: str = _setting("godwit.sqlite3", "SQLite file; made and migrated at start, after a copy of the old one.")


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """A process among many: what the others know of it."""

    name: str = _setting(
        "", "The process's name, which no other one may have; empty: its role, cluster, machine and number."
    )
    host: str = _setting(
        "127.0.0.1", "Address of its internal HTTP: metrics, health, and what processes ask each other."
    )
    port: int = _setting(0, "Port of its internal HTTP; 0 takes a free one, which the others learn from the store.")
    url: str = _setting("", "Where others reach its internal HTTP, e.g. http://10.0.0.5:9001; empty: at host and port.")
    patience: float = _setting(
        30.0, "Seconds for which it waits at its start for a store and chat logs that do not answer yet."
    )


@dataclass(frozen=True, slots=True)
class AuthSettings:
    """Who may log in."""

    mode: Literal["open", "tokens", "jwt", "webhook"] = _setting(
        "open",
        "open: any valid nick with any oauth: token (loopback only). tokens: accounts and tokens of the store. jwt: "
        "tokens that an identity provider has signed. webhook: tokens that auth.webhook_url knows. Those of the store "
        "are valid in all modes but open.",
    )
    admin_token: str = _setting("", "Token for admin calls; empty: a new one at each start, in the ready file.")
    jwks: str = _setting("", "The identity provider's public keys: a file, or a URL; needed for jwt.")
    jwks_refresh: float = _setting(300.0, "Seconds after which they are read anew; unknown keys are looked for sooner.")
    audience: str = _setting("", "The audience that a JWT must name; needed for jwt.")
    issuer: str = _setting("", "The issuer that a JWT must name; empty: any that signs with these keys.")
    login_claim: str = _setting("preferred_username", "The claim that has the login; dots go into objects.")
    user_id_claim: str = _setting("sub", "The claim that has the user id; empty: the store numbers accounts itself.")
    scopes_claim: str = _setting("scope", "The claim that has the scopes; empty: a login may do everything.")
    webhook_url: str = _setting("", "Who is asked about a token, by POST; needed for webhook.")
    webhook_secret: str = _setting("", "Sent to it as Authorization: Bearer; empty: nothing is sent.")
    webhook_timeout: float = _setting(3.0, "Seconds that it is given for an answer.")
    webhook_cache: float = _setting(5.0, "Seconds for which an answer that lets somebody in is good for more logins.")


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """Rate limits."""

    preset: Literal["now", "2016", "off"] = _setting(
        "now", "Which era's limits apply; off is for benches: then nothing is limited, and SERVERCHANGE not paced."
    )
    joins: int = _setting(0, "JOINs of an ordinary client per window; 0: the preset's.")
    verified_joins: int = _setting(0, "JOINs of a verified bot per window; 0: the preset's.")
    join_window: float = _setting(0.0, "Seconds after which a client's JOINs are there whole again; 0: the preset's.")
    logins: int = _setting(0, "Logins of an ordinary account per window; 0: the preset's.")
    verified_logins: int = _setting(0, "Logins of a verified bot per window; 0: the preset's.")
    login_window: float = _setting(0.0, "Seconds after which an account's logins are there again; 0: the preset's.")
    address_joins: int = _setting(
        0, "JOINs of all anonymous connections from one address per window; 0: the preset's, which is none but in 2016."
    )
    channels: int = _setting(
        0,
        "Channels that a client may be in at once, but for those where it is moderator or owner; 0: any number. "
        "Twitch has 100 since May 2024.",
    )
    messages: int = _setting(0, "Messages and commands of an ordinary account per window; 0: the preset's.")
    known_messages: int = _setting(0, "The same of a known bot; 0: the preset's.")
    verified_messages: int = _setting(0, "The same of a verified bot; 0: the preset's.")
    elevated_messages: int = _setting(
        0, "The same in channels where the account is moderator, VIP or owner; 0: the preset's."
    )
    message_window: float = _setting(0.0, "Seconds after which these are there again whole; 0: the preset's.")
    penalty: float = _setting(
        0.0,
        "Seconds for which an account that is past them is ignored, or in 2016 its address locked out; "
        "0: the preset's.",
    )
    channel_interval: float = _setting(
        0.0, "Seconds between two messages of an account to a channel where it is nothing special; 0: the preset's."
    )
    duplicate_window: float = _setting(
        0.0, "Seconds for which an account may not say the same twice in a row in a channel; 0: the preset's."
    )
    whispers_per_second: int = _setting(0, "Whispers of an account per second; 0: the preset's.")
    whispers_per_minute: int = _setting(0, "Whispers of an account per minute; 0: the preset's.")
    whisper_recipients: int = _setting(0, "Different accounts that an account may whisper to a day; 0: the preset's.")


@dataclass(frozen=True, slots=True)
class ControlSettings:
    """How rollouts are watched."""

    probes: bool = _setting(True, "Keep two synthetic chatters on each cluster, in hidden rooms; gates ask them.")
    rehearsal_sessions: int = _setting(5000, "Connections that a rehearsal may open, at most.")
    prometheus_url: str = _setting("", "Where gates of the kind prometheus ask, e.g. http://127.0.0.1:9090.")


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """Who is told of the feed's events by HTTP POST."""

    urls: tuple[str, ...] = _setting((), "URLs that each event is posted to, in order and at least once.")
    secret: str = _setting("", "Secret that signs what is posted, as Twitch EventSub signs: 10 to 100 characters.")
    kinds: tuple[str, ...] = _setting((), "Kinds of events to post, such as moved or rollout.*; empty: all.")
    keep: float = _setting(86_400.0, "Seconds for which an event that nobody takes is tried again.")


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings."""

    clusters: tuple[str, ...] = _setting(CLUSTERS, "Names of the clusters; the first is the default placement.")
    edge: EdgeSettings = field(default_factory=EdgeSettings)
    log: LogSettings = field(default_factory=LogSettings)
    nats: NatsSettings = field(default_factory=NatsSettings)
    node: NodeSettings = field(default_factory=NodeSettings)
    move: MoveSettings = field(default_factory=MoveSettings)
    directory: DirectorySettings = field(default_factory=DirectorySettings)
    live: LiveSettings = field(default_factory=LiveSettings)
    store: StoreSettings = field(default_factory=StoreSettings)
    auth: AuthSettings = field(default_factory=AuthSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    control: ControlSettings = field(default_factory=ControlSettings)
    webhooks: WebhookSettings = field(default_factory=WebhookSettings)


def rows() -> list[tuple[str, Any, str]]:
    """Every setting as `(dotted name, default, help)`."""
    found: list[tuple[str, Any, str]] = []
    top = Settings()
    for section in fields(top):
        value = getattr(top, section.name)
        if hasattr(value, "__dataclass_fields__"):
            for item in fields(value):
                found.append((f"{section.name}.{item.name}", getattr(value, item.name), item.metadata["help"]))
        else:
            found.append((section.name, value, section.metadata["help"]))
    return found
