"""Loading the settings: `--set` over environment over file over default.

Each setting of `settings.py` has one dotted name. It can be given as `--set edge.ping_interval=60`, as
`GODWIT_EDGE__PING_INTERVAL=60`, or in a TOML file as `ping_interval = 60` under `[edge]`. Whatever cannot be is
refused with one line that names the setting, the value and what was expected; secrets are never repeated.
"""

from __future__ import annotations

import difflib
import ipaddress
import json
import math
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from godwit.errors import InvalidSetting
from godwit.settings import LimitSettings, Settings, rows
from godwit.store.urls import shown as without_password
from godwit.store.urls import with_password

ENV_PREFIX = "GODWIT_"

SECRETS = frozenset(
    {
        *("auth.admin_token", "auth.webhook_secret", "live.token", "live.eventsub_secret", "store.password"),
        "webhooks.secret",
    }
)
"""Settings whose value is never shown. Each can be in a file of its own, which `<setting>_file` names."""

HIDDEN = "(hidden)"

TRANSPORTS = ("tcp", "tls", "ws", "wss")

_PUBLIC = "directory.public"
_SERVERS = "nats.servers"
_DOMAINS = "nats.domains"
_DIALECT = "edge.dialect"
_STORE = "store.url"
_FILE = "_file"
_TREES = {_PUBLIC: 2, _SERVERS: 1, _DOMAINS: 1, _DIALECT: 1}
"""Settings that are trees, and how deep they go: sources override each other leaf by leaf."""

_WORDS = frozenset({_DOMAINS, _DIALECT})
"""Those whose leaves are words and no lists."""

_PORTS = frozenset({"edge.tcp_port", "edge.ws_port", "edge.tls_port", "edge.wss_port", "directory.port", "node.port"})
_MAY_BE_ZERO = frozenset(
    {
        "edge.reconnect_grace",
        "edge.drain_spread",
        "edge.retire_spread",
        "edge.linger",
        "edge.recent",
        "move.drain",
        "move.notice_share",
        "node.patience",
        "node.port",
    }
) | {f"limits.{item.name}" for item in fields(LimitSettings) if item.name != "preset"}
_CLUSTER = re.compile(r"[a-z0-9][a-z0-9_-]{0,30}")
_URL = re.compile(r"https?://[^\s/]+(/\S*)?")
_NATS_URL = re.compile(r"(nats|tls|ws|wss)://[^\s/]+")
_DOMAIN = re.compile(r"[A-Za-z0-9_-]{1,64}")
_STORE_URL = re.compile(r"postgres(ql)?://[^\s/?#]*(/[^\s#]*)?(\?[^\s#]*)?")
_ADDRESS = re.compile(r"[A-Za-z0-9._-]+:([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and where each was said.

    Attributes:
        origins: dotted name -> the file, the variable or `--set`; what is missing has its default.
    """

    settings: Settings
    origins: Mapping[str, str]


def names() -> list[str]:
    """The dotted names of all settings."""
    return [name for name, _, _ in rows()]


def env_name(name: str) -> str:
    """The environment variable of a setting."""
    return ENV_PREFIX + name.replace(".", "__").upper()


def unknown(name: str) -> InvalidSetting:
    """The refusal of a name that no setting has, with the nearest one."""
    known = names()
    same_end = [other for other in known if other.rpartition(".")[2] == name.rpartition(".")[2]]
    near = same_end or difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else "'godwit config show' lists all settings"
    return InvalidSetting(f"there is no setting {name}: {hint}")


def value_of(settings: Settings, name: str) -> Any:
    """The value of the setting with that dotted name."""
    value: Any = settings
    for part in name.split("."):
        value = getattr(value, part)
    return value


def shown(name: str, value: Any) -> str:
    """A setting's value as it may be shown: JSON, secrets hidden."""
    if name in SECRETS:
        return HIDDEN if value else '""'
    return json.dumps(without_password(value) if value and name == _STORE else value)


def hint_of(name: str) -> Any:
    """The type of a setting."""
    hint: Any = Settings
    for part in name.split("."):
        hint = get_type_hints(hint)[part]
    return hint


def expected(name: str) -> str:
    """What a setting takes, in words."""
    hint = hint_of(name)
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(map(str, get_args(hint)))
    if name == _SERVERS:
        return "cluster=nats://host:port, several separated by commas"
    if name == _DOMAINS:
        return "cluster=domain"
    if name == _DIALECT:
        return "cluster=now or cluster=2016"
    if get_origin(hint) is dict:
        return "cluster.transport=host:port, with transport one of " + ", ".join(TRANSPORTS)
    if get_origin(hint) is tuple:
        return "names separated by commas"
    if name in _PORTS:
        return "a port, 0 to 65535" if name in _MAY_BE_ZERO else "a port, 1 to 65535"
    if hint in (int, float):
        kind = "a whole number" if hint is int else "a number"
        return f"{kind}, {'0 or more' if name in _MAY_BE_ZERO else '1 or more' if hint is int else 'above 0'}"
    if name in SECRETS:
        return f"text, or {name}{_FILE} with the name of a file that has it"
    return "true or false" if hint is bool else "text"


def load(file: Path | None, environ: Mapping[str, str], sets: Sequence[str] = ()) -> Loaded:
    """Put the settings together.

    Args:
        file: a TOML file.
        environ: the environment; variables that cannot be a setting's are left alone.
        sets: `KEY=VALUE` texts, the last one wins.

    Raises:
        InvalidSetting: something cannot be.
    """
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    given: list[Iterable[tuple[str, Any, str]]] = [
        _from_file(file) if file else (),
        _from_env(environ),
        _from_sets(sets),
    ]
    for source in given:
        here: dict[str, str] = {}
        for name, value, origin in source:
            if name in SECRETS and here.setdefault(name, origin) != origin:
                raise InvalidSetting(f"give either {name} or {name}{_FILE}, not both ({here[name]} and {origin})")
            if tree := _tree_of(name):
                *path, last = name.removeprefix(tree + ".").split(".")
                branch = values.setdefault(tree, {})
                for part in path:
                    branch = branch.setdefault(part, {})
                branch[last] = value
                origins[tree] = origin
            else:
                values[name] = value
                origins[name] = origin
    checked = {name: _checked(name, value, origins[name]) for name, value in values.items()}
    settings = _build(checked)
    _coherent(settings)
    return Loaded(_with_password(settings), origins)


def _from_file(file: Path) -> Iterator[tuple[str, Any, str]]:
    try:
        with file.open("rb") as stream:
            tree = tomllib.load(stream)
    except OSError as error:
        raise InvalidSetting(f"cannot read the settings file {file}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidSetting(f"the settings file {file} is not TOML: {error}") from error
    sections = {name.partition(".")[0] for name in names() if "." in name}
    for top, value in tree.items():
        if top in sections:
            if not isinstance(value, dict):
                raise InvalidSetting(f"{top} in {file} is a section: write [{top}] and its settings below")
            for key, item in value.items():
                yield from _leaves(f"{top}.{key}", item, str(file))
        else:
            yield from _leaves(top, value, str(file))


def _from_env(environ: Mapping[str, str]) -> Iterator[tuple[str, Any, str]]:
    variables = {env_name(name): name for name in names()}
    first_words = {name.partition(".")[0].upper() for name in names()}
    for variable in sorted(environ):
        if not variable.startswith(ENV_PREFIX):
            continue
        rest = variable.removeprefix(ENV_PREFIX)
        if variable in variables or "__" in rest:
            yield from _leaves(rest.lower().replace("__", "."), environ[variable], variable)
        elif rest.partition("_")[0] in first_words:
            near = difflib.get_close_matches(variable, list(variables), n=1, cutoff=0)
            raise InvalidSetting(f"{variable} names no setting: did you mean {near[0]}?")


def _from_sets(sets: Sequence[str]) -> Iterator[tuple[str, Any, str]]:
    for text in sets:
        name, equals, value = text.partition("=")
        if not equals:
            raise InvalidSetting(f"--set {name}: write it as --set {name}=VALUE")
        yield from _leaves(name.strip(), value, "--set")


def _leaves(name: str, value: Any, origin: str) -> Iterator[tuple[str, Any, str]]:
    """Split trees into their leaves, so that sources override each other piece by piece."""
    tree = name if name in _TREES else _tree_of(name)
    if not tree and name in names():
        yield name, value, origin
    elif name.removesuffix(_FILE) in SECRETS:
        yield name.removesuffix(_FILE), _secret_in(name, value, origin), f"{name} = {value}, {origin}"
    elif not tree:
        raise unknown(name)
    elif name.count(".") == tree.count(".") + _TREES[tree]:
        if isinstance(value, dict):
            raise unknown(".".join([name, *value]))
        yield name, _listed(value) if isinstance(value, str) and tree not in _WORDS else value, origin
    elif name != tree and isinstance(value, str):
        raise unknown(name)
    else:
        branch = _json(tree, value, origin) if isinstance(value, str) else value
        if not isinstance(branch, dict):
            raise _wrong(tree, value, origin)
        for key, item in branch.items():
            yield from _leaves(f"{name}.{key}", item, origin)


def _tree_of(name: str) -> str:
    """The setting that `name` is a part of, if it is a tree and the part is not too deep; else ''."""
    for tree, depth in _TREES.items():
        if name.startswith(tree + ".") and name.count(".") <= tree.count(".") + depth:
            return tree
    return ""


def _secret_in(name: str, file: Any, origin: str) -> str:
    """What a file has that a secret is kept in; the end of its line is not a part of it."""
    try:
        text = Path(file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise InvalidSetting(f"{name} = {str(file)!r} ({origin}) cannot be read: {error.strerror}") from error
    except (TypeError, ValueError) as error:
        raise InvalidSetting(
            f"{name} = {str(file)!r} ({origin}) cannot be: expected the name of a text file"
        ) from error
    if not text:
        raise InvalidSetting(f"{name} = {str(file)!r} ({origin}) cannot be: the file is empty")
    return text


def _json(name: str, text: str, origin: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise _wrong(name, text, origin) from error


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _wrong(name: str, value: Any, origin: str) -> InvalidSetting:
    told = HIDDEN if name in SECRETS | {_STORE} else repr(value)
    return InvalidSetting(f"{name} = {told} ({origin}) cannot be: expected {expected(name)}")


def _checked(name: str, value: Any, origin: str) -> Any:
    hint = hint_of(name)
    taken = _listed(value) if get_origin(hint) is tuple and isinstance(value, str) else value
    if get_origin(hint) is Literal and isinstance(value, str):
        taken = next((choice for choice in get_args(hint) if str(choice) == value), value)
    if isinstance(taken, bool) and hint in (int, float):
        raise _wrong(name, value, origin)
    try:
        result = TypeAdapter(hint).validate_python(taken)
    except ValidationError as error:
        raise _wrong(name, value, origin) from error
    if hint in (int, float):
        above = result >= 0 if name in _MAY_BE_ZERO else result > 0
        if not math.isfinite(result) or not above or (name in _PORTS and result > 65535):
            raise _wrong(name, value, origin)
    if name in SECRETS and not (result.isascii() and result.isprintable() and " " not in result):
        raise InvalidSetting(f"{name} = {HIDDEN} ({origin}) cannot be: use printable ASCII without spaces")
    return result


def _build(values: Mapping[str, Any]) -> Settings:
    top = Settings()
    given: dict[str, Any] = {}
    for section in fields(top):
        default = getattr(top, section.name)
        if is_dataclass(default):
            kind: Any = type(default)
            prefix = section.name + "."
            inner = {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}
            given[section.name] = kind(**inner)
        elif section.name in values:
            given[section.name] = values[section.name]
    return Settings(**given)


def _coherent(settings: Settings) -> None:
    """Refuse settings that are right each for itself and wrong together."""
    clusters = settings.clusters
    if not clusters or len(set(clusters)) != len(clusters) or not all(_CLUSTER.fullmatch(name) for name in clusters):
        raise InvalidSetting(f"clusters = {json.dumps(clusters)} cannot be: give different names of a-z, 0-9, _ and -")
    for cluster, addresses in settings.directory.public.items():
        if cluster not in clusters:
            raise InvalidSetting(f"{_PUBLIC}.{cluster}: there is no cluster {cluster}, only {', '.join(clusters)}")
        for transport, listed in addresses.items():
            name = f"{_PUBLIC}.{cluster}.{transport}"
            if transport not in TRANSPORTS:
                raise InvalidSetting(f"{name}: there is no transport {transport}, only {', '.join(TRANSPORTS)}")
            for address in listed:
                match = _ADDRESS.fullmatch(address)
                if match is None or not 0 < int(match[1]) <= 65535:
                    raise InvalidSetting(
                        f"{name} = {address!r} cannot be: expected host:port, without a scheme and no IPv6 literal"
                    )
    if strangers := [cluster for cluster in settings.edge.dialect if cluster not in clusters]:
        raise InvalidSetting(
            f"{_DIALECT}.{strangers[0]}: there is no cluster {strangers[0]}, only {', '.join(clusters)}"
        )
    _addressed(settings)
    _shared(settings)
    _known(settings)
    if settings.edge.key and not settings.edge.certificate:
        raise InvalidSetting("edge.key is the key of a certificate: give edge.certificate too")
    log, move = settings.log, settings.move
    if log.hold + log.append_timeout > log.duplicate_window:
        raise InvalidSetting(
            f"log.hold = {log.hold:g} and log.append_timeout = {log.append_timeout:g} are together longer than "
            f"log.duplicate_window = {log.duplicate_window:g}: a message could be stored twice"
        )
    if log.duplicate_window > log.max_age:
        raise InvalidSetting(
            f"log.duplicate_window = {log.duplicate_window:g} is longer than log.max_age = {log.max_age:g}: lower it"
        )
    if move.lease >= log.max_age:
        raise InvalidSetting(
            f"move.lease = {move.lease:g} must be shorter than log.max_age = {log.max_age:g}: records would be missed"
        )
    if move.lease <= log.compare_interval:
        raise InvalidSetting(
            f"move.lease = {move.lease:g} must be longer than log.compare_interval = {log.compare_interval:g}: else "
            "every channel would ask the store all the time; change one of them"
        )


def _addressed(settings: Settings) -> None:
    """Refuse addresses of other services that cannot be, and webhooks that nobody could trust."""
    control, webhooks = settings.control, settings.webhooks
    given = [("webhooks.urls", url) for url in webhooks.urls]
    if control.prometheus_url:
        given.append(("control.prometheus_url", control.prometheus_url))
    for name, url in given:
        if not _URL.fullmatch(url):
            raise InvalidSetting(f"{name} = {url!r} cannot be: expected http://HOST/... or https://HOST/...")
    if webhooks.urls and not 10 <= len(webhooks.secret) <= 100:
        raise InvalidSetting("webhooks.secret is missing, or not 10 to 100 characters: webhooks.urls needs one")


def _known(settings: Settings) -> None:
    """Refuse an authority of which half is missing."""
    auth = settings.auth
    needed = {"jwt": ("jwks", "audience", "login_claim"), "webhook": ("webhook_url",)}.get(auth.mode, ())
    if lacking := [f"auth.{name}" for name in needed if not getattr(auth, name)]:
        raise InvalidSetting(f"auth.mode = {auth.mode} needs {' and '.join(lacking)}")
    if auth.webhook_url and not _URL.fullmatch(auth.webhook_url):
        raise InvalidSetting(
            f"auth.webhook_url = {auth.webhook_url!r} cannot be: expected http://HOST/... or https://HOST/..."
        )


def _shared(settings: Settings) -> None:
    """Refuse half of a configuration for many processes."""
    nats, node, store = settings.nats, settings.node, settings.store
    for cluster, urls in nats.servers.items():
        if cluster not in settings.clusters:
            raise InvalidSetting(
                f"{_SERVERS}.{cluster}: there is no cluster {cluster}, only {', '.join(settings.clusters)}"
            )
        if wrong := [url for url in urls if not _NATS_URL.fullmatch(url)]:
            raise InvalidSetting(f"{_SERVERS}.{cluster} = {wrong[0]!r} cannot be: expected nats://HOST:PORT")
    for cluster, domain in nats.domains.items():
        if not nats.servers.get(cluster):
            raise InvalidSetting(f"{_DOMAINS}.{cluster}: {_SERVERS} names no servers for {cluster}")
        if not _DOMAIN.fullmatch(domain):
            raise InvalidSetting(f"{_DOMAINS}.{cluster} = {domain!r} cannot be: expected letters, digits, _ and -")
    lacking = [name for name in settings.clusters if not nats.servers.get(name)]
    if any(nats.servers.values()) and lacking:
        raise InvalidSetting(
            f"{_SERVERS} names no servers for {', '.join(lacking)}: give URLs for every cluster or for none, "
            "or leave clusters out of 'clusters'"
        )
    if node.host in ("0.0.0.0", "::") and not node.url:
        raise InvalidSetting(f"node.host = {node.host} says no address that others could use: set node.url too")
    if node.url and not _URL.fullmatch(node.url):
        raise InvalidSetting(f"node.url = {node.url!r} cannot be: expected http://HOST:PORT")
    if store.url and not _STORE_URL.fullmatch(store.url):
        raise InvalidSetting(
            f"{_STORE} cannot be: expected postgresql://USER@HOST/DATABASE; a SQLite file is named by store.path"
        )
    if store.password and not store.url:
        raise InvalidSetting(f"store.password is for PostgreSQL: give {_STORE} too")


def _with_password(settings: Settings) -> Settings:
    """Put the password of the store where it belongs, so that one value says how to get there."""
    store = settings.store
    if not store.password:
        return settings
    return replace(settings, store=replace(store, url=with_password(store.url, store.password)))


def is_loopback(host: str) -> bool:
    """Say whether a listener on `host` can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listeners(settings: Settings) -> list[tuple[str, str, str, int]]:
    """What the fixed ports are, as `(what, setting, host, port)`."""
    edge, directory = settings.edge, settings.directory
    found = []
    for number, cluster in enumerate(settings.clusters):
        if edge.tcp:
            found.append((f"{cluster} tcp", "edge.tcp_port", edge.host, edge.tcp_port + number))
        if edge.ws:
            found.append((f"{cluster} websocket", "edge.ws_port", edge.host, edge.ws_port + number))
        if edge.certificate:
            found.append((f"{cluster} tls", "edge.tls_port", edge.host, edge.tls_port + number))
            found.append((f"{cluster} secure websocket", "edge.wss_port", edge.host, edge.wss_port + number))
    found.append(("http", "directory.port", directory.host, directory.port))
    return found


def check_ports(settings: Settings) -> None:
    """Refuse fixed ports that do not exist or that two listeners would share.

    Raises:
        InvalidSetting: which, and what to change.
    """
    seen: dict[int, tuple[str, str]] = {}
    for what, setting, _, port in listeners(settings):
        if port > 65535:
            raise InvalidSetting(f"{what} would listen on port {port}: lower {setting}")
        if port in seen:
            other, other_setting = seen[port]
            raise InvalidSetting(
                f"{other} and {what} would both listen on port {port}: change {other_setting} or {setting}"
            )
        seen[port] = (what, setting)


def check_exposure(settings: Settings) -> None:
    """Refuse to let strangers in unasked.

    Listening beyond loopback needs authentication that somebody configured, and addresses by which the clusters can
    be reached from there.

    Raises:
        InvalidSetting: which settings are missing.
    """
    hosts = {"edge.host": settings.edge.host, "directory.host": settings.directory.host}
    exposed = [f"{name} = {host}" for name, host in hosts.items() if not is_loopback(host)]
    literal = [f"{name} = {host}" for name, host in hosts.items() if ":" in host]
    if exposed and settings.auth.mode == "open":
        raise InvalidSetting(
            f"{' and '.join(exposed)} is not loopback, and auth.mode = open lets anybody log in as anybody: "
            "set auth.mode to tokens, jwt or webhook, or listen on 127.0.0.1"
        )
    if not exposed and not literal:
        return
    lacking = []
    for cluster in settings.clusters:
        public = settings.directory.public.get(cluster, {})
        edge = settings.edge
        for transport, secure, on in (("tcp", "tls", edge.tcp), ("ws", "wss", edge.ws)):
            named = on or bool(edge.certificate)
            if named and not public.get(transport) and not public.get(secure):
                lacking.append(f"{_PUBLIC}.{cluster}.{transport if on else secure}")
    if lacking:
        raise InvalidSetting(
            f"{' and '.join(exposed or literal)} needs addresses that clients can be told: set {', '.join(lacking)} "
            "to host:port"
        )
