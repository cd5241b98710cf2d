"""Settings from a file, the environment and the command line."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from godwit import config
from godwit.errors import InvalidSetting
from godwit.settings import Settings, rows

PUBLIC = {"main": "a.example:6667", "aws": "b.example:6667", "event": "c.example:6667", "group": "d.example:6667"}


def refused(*sets: str, environ: dict[str, str] | None = None, file: Path | None = None) -> str:
    """The one line that refuses the given settings."""
    with pytest.raises(InvalidSetting) as caught:
        config.load(file, environ or {}, sets)
    text = str(caught.value)
    assert "\n" not in text
    return text


def loaded(*sets: str) -> Settings:
    """Settings from `--set` alone."""
    return config.load(None, {}, sets).settings


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    """A settings file."""
    file = tmp_path / "godwit.toml"
    file.write_text(
        """
        clusters = ["one", "two"]
        [edge]
        ping_interval = 10
        host = "localhost"
        [limits]
        preset = "2016"
        [directory.public.one]
        tcp = ["one.example:6667", "one.example:80"]
        ws = "one.example:8080"
        """
    )
    return file


def test_nothing_given_is_the_defaults() -> None:
    """Every setting has one."""
    found = config.load(None, {}, [])
    assert found.settings == Settings()
    assert found.origins == {}


def test_a_file(toml: Path) -> None:
    """Sections, lists, and a whole number where a number is wanted."""
    found = config.load(toml, {}, [])
    assert found.settings.clusters == ("one", "two")
    assert found.settings.edge.ping_interval == 10.0
    assert found.settings.limits.preset == "2016"
    assert found.settings.directory.public == {
        "one": {"tcp": ["one.example:6667", "one.example:80"], "ws": ["one.example:8080"]}
    }
    assert found.origins["edge.ping_interval"] == str(toml)


def test_precedence(toml: Path) -> None:
    """`--set` over environment over file over default, and the last `--set` wins."""
    environ = {"GODWIT_EDGE__PING_INTERVAL": "20", "GODWIT_EDGE__HOST": "127.0.0.2"}
    found = config.load(toml, environ, ["edge.ping_interval=30", "edge.ping_interval=40"])
    assert found.settings.edge.ping_interval == 40.0
    assert found.settings.edge.host == "127.0.0.2"
    assert found.settings.limits.preset == "2016"
    assert found.settings.edge.pong_timeout == Settings().edge.pong_timeout
    assert found.origins["edge.ping_interval"] == "--set"
    assert found.origins["edge.host"] == "GODWIT_EDGE__HOST"
    assert "edge.pong_timeout" not in found.origins


def test_public_addresses_are_overridden_piece_by_piece(toml: Path) -> None:
    """One transport of one cluster, the rest stays."""
    public = config.load(toml, {}, ["directory.public.one.tcp=x.example:1, y.example:2"]).settings.directory.public
    assert public["one"] == {"tcp": ["x.example:1", "y.example:2"], "ws": ["one.example:8080"]}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("edge.ping_interval=0.5", 0.5),
        ("edge.tcp_port=7000", 7000),
        ("edge.tcp=false", False),
        ("edge.tcp=off", False),
        ("limits.preset=off", "off"),
        ("move.legacy_rule=part", "part"),
        ("clusters=main, aws", ("main", "aws")),
        ("store.path=data/a=b.sqlite3", "data/a=b.sqlite3"),
        ("move.drain=0", 0.0),
        ('directory.public={"aws": {"ws": ["a.example:1"]}}', {"aws": {"ws": ["a.example:1"]}}),
    ],
)
def test_texts_become_values(text: str, value: Any) -> None:
    """As `--set` gives them."""
    assert config.value_of(loaded(text), text.partition("=")[0]) == value


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("edge.ping_interval=soon", "edge.ping_interval = 'soon' (--set) cannot be: expected a number, above 0"),
        ("edge.ping_interval=0", "expected a number, above 0"),
        ("edge.ping_interval=nan", "expected a number, above 0"),
        ("edge.linger=inf", "expected a number, 0 or more"),
        ("edge.linger=-1", "expected a number, 0 or more"),
        ("edge.edges=1.5", "expected a whole number, 1 or more"),
        ("edge.edges=0", "expected a whole number, 1 or more"),
        ("edge.tcp_port=70000", "expected a port, 1 to 65535"),
        ("edge.tcp=perhaps", "expected true or false"),
        ("limits.preset=2017", "expected one of now, 2016, off"),
        ("clusters=", "clusters = [] cannot be"),
        ("clusters=a,a", "different names"),
        ("clusters=A", "different names"),
        ("directory.public=[", "expected cluster.transport=host:port"),
        ("directory.public=[]", "expected cluster.transport=host:port"),
        ("directory.public.azure.tcp=a:1", "there is no cluster azure, only main, aws, event, group"),
        ("directory.public.aws.udp=a:1", "there is no transport udp, only tcp, tls, ws, wss"),
        ("directory.public.aws.ws=ws://a:1", "expected host:port, without a scheme"),
        ("directory.public.aws.tcp=[::1]:1", "no IPv6 literal"),
        ("directory.public.aws.tcp=a:65536", "expected host:port"),
        ("directory.public.aws=a:1", "there is no setting directory.public.aws: did you mean directory.public?"),
        ("edge.ping_intervall=1", "there is no setting edge.ping_intervall: did you mean edge.ping_interval?"),
        ("ping_interval=1", "did you mean edge.ping_interval?"),
        ("zzz=1", "'godwit config show' lists all settings"),
        ("edge=1", "there is no setting edge"),
        ("edge.ping_interval", "write it as --set edge.ping_interval=VALUE"),
        ("log.hold=118", "log.hold = 118 and log.append_timeout = 5 are together longer than log.duplicate_window"),
        ("log.max_age=100", "log.duplicate_window = 120 is longer than log.max_age = 100"),
        ("move.lease=900", "must be shorter than log.max_age"),
        ("move.lease=5", "move.lease = 5 must be longer than log.compare_interval = 5: else every channel would ask"),
        ("control.prometheus_url=localhost:9090", "expected http://HOST/... or https://HOST/..."),
        ("webhooks.urls=ftp://a.example/", "webhooks.urls = 'ftp://a.example/' cannot be"),
        ("webhooks.urls=https://a.example/hook", "webhooks.secret is missing"),
    ],
)
def test_what_cannot_be_is_refused(text: str, told: str) -> None:
    """One line: the setting, the value, what was expected."""
    assert told in refused(text)


def test_a_variable_that_names_nothing() -> None:
    """A lost underscore is noticed; what is no setting's is left alone."""
    assert refused(environ={"GODWIT_EDGE_PING_INTERVAL": "1"}) == (
        "GODWIT_EDGE_PING_INTERVAL names no setting: did you mean GODWIT_EDGE__PING_INTERVAL?"
    )
    assert "did you mean edge.ping_interval?" in refused(environ={"GODWIT_EDGE__PING_INTERVALL": "1"})
    others = {"GODWIT_API": "http://x", "GODWIT_TOKEN": "x", "GODWIT_READY_FILE": "x", "EDGE__HOST": "x"}
    assert config.load(None, others, []).settings == Settings()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("edge = 1", "edge in FILE is a section: write [edge]"),
        ("[edge]\nports = 1", "there is no setting edge.ports: did you mean"),
        ("[edges]\nx = 1", "there is no setting edges"),
        ("[edge]\ntcp_port = true", "edge.tcp_port = True (FILE) cannot be: expected a port"),
        ("[edge]\nhost = 1", "edge.host = 1 (FILE) cannot be: expected text"),
        ("[edge", "is not TOML"),
        ("[directory.public]\naws = 1", "expected cluster.transport=host:port"),
        ("[directory.public.aws]\ntcp = [1]", "expected cluster.transport=host:port"),
        ('clusters = "a,b"\n[directory.public."a.b"]\ntcp = "a:1"', "there is no setting directory.public.a.b.tcp"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, content: str, told: str) -> None:
    """One line that names the file."""
    file = tmp_path / "godwit.toml"
    file.write_text(content)
    assert told.replace("FILE", str(file)) in refused(file=file)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """The reason is told."""
    assert "No such file" in refused(file=tmp_path / "nothing.toml")


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    """Whatever bytes: one line."""
    file = tmp_path / "godwit.toml"
    file.write_bytes(b"\xff\xfe\x00")
    assert "is not TOML" in refused(file=file)


def test_a_secret_is_never_shown() -> None:
    """Neither where it is right nor where it is wrong."""
    assert config.shown("auth.admin_token", "hush") == "(hidden)"
    assert config.shown("auth.admin_token", "") == '""'
    assert config.shown("edge.host", "x") == '"x"'
    for value in ("hush hush", "h\u00fcsh", "hush\n"):
        assert value not in refused(f"auth.admin_token={value}")
    assert "hush" not in refused(environ={"GODWIT_AUTH__ADMIN_TOKEN": "hu sh"})


def test_every_setting_has_a_variable_and_an_explanation() -> None:
    """And what a default shows as can be set again."""
    for name, default, _ in rows():
        assert config.expected(name)
        assert config.env_name(name) == "GODWIT_" + name.upper().replace(".", "__")
        if not isinstance(default, dict):
            text = ",".join(default) if isinstance(default, tuple) else str(default)
            assert config.load(None, {config.env_name(name): text}, []).settings == Settings()


def test_every_default_is_a_toml_value(tmp_path: Path) -> None:
    """What `config show` tells can be pasted into a file."""
    for name, default, _ in rows():
        section, _, key = name.rpartition(".")
        text = (
            f"[{section}]\n{key} = {config.shown(name, default)}"
            if section
            else f"{key} = {config.shown(name, default)}"
        )
        if isinstance(default, dict):
            continue
        tomllib.loads(text)
        file = tmp_path / "one.toml"
        file.write_text(text)
        assert config.load(file, {}, []).settings == Settings()


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("", False),
        ("192.0.2.1", False),
        ("chat.example", False),
    ],
)
def test_loopback(host: str, expected: bool) -> None:
    """What only this machine can reach."""
    assert config.is_loopback(host) is expected


def test_loopback_with_open_authentication_is_fine() -> None:
    """The default."""
    config.check_exposure(Settings())


@pytest.mark.parametrize("setting", ["edge.host=0.0.0.0", "directory.host=192.0.2.1"])
def test_open_authentication_stays_on_loopback(setting: str) -> None:
    """Whichever listener it is."""
    with pytest.raises(InvalidSetting, match=r"is not loopback, and auth\.mode = open"):
        config.check_exposure(loaded(setting))


def test_beyond_loopback_every_cluster_needs_an_address() -> None:
    """For each transport that listens; a secure one does."""
    sets = ["edge.host=0.0.0.0", "auth.mode=tokens"]
    with pytest.raises(InvalidSetting, match=r"set directory\.public\.main\.tcp, directory\.public\.main\.ws"):
        config.check_exposure(loaded(*sets))
    sets += [f"directory.public.{name}.tcp={address}" for name, address in PUBLIC.items()]
    with pytest.raises(InvalidSetting, match=r"set directory\.public\.main\.ws"):
        config.check_exposure(loaded(*sets))
    config.check_exposure(loaded(*sets, "edge.ws=false"))
    sets += [f"directory.public.{name}.wss={address}" for name, address in PUBLIC.items()]
    config.check_exposure(loaded(*sets))


def test_an_ipv6_listener_needs_addresses_too() -> None:
    """The directory cannot tell an IPv6 literal."""
    with pytest.raises(InvalidSetting, match=r"edge\.host = ::1 needs addresses"):
        config.check_exposure(loaded("edge.host=::1"))


def test_fixed_ports() -> None:
    """One for each cluster and transport, and one for HTTP."""
    ports = {what: port for what, _, _, port in config.listeners(Settings())}
    assert (ports["main tcp"], ports["aws tcp"], ports["main websocket"], ports["http"]) == (6667, 6668, 8080, 8000)
    assert len(ports) == 9
    config.check_ports(Settings())


@pytest.mark.row("TLS-1")
def test_fixed_ports_with_a_certificate() -> None:
    """Two more for each cluster, whether there are plain ones or not."""
    found = loaded("edge.certificate=chat.pem", "edge.tcp=false", "edge.ws=false")
    ports = {what: port for what, _, _, port in config.listeners(found)}
    assert (ports["main tls"], ports["aws tls"], ports["main secure websocket"], len(ports)) == (6697, 6698, 8443, 9)
    with pytest.raises(InvalidSetting, match=r"or edge\.tls_port"):
        config.check_ports(loaded("edge.certificate=chat.pem", "edge.tls_port=6667"))
    config.check_ports(loaded("edge.tls_port=6667"))


@pytest.mark.row("TLS-1")
def test_beyond_loopback_a_certificate_needs_addresses_too() -> None:
    sets = ["edge.host=0.0.0.0", "auth.mode=tokens", "edge.certificate=chat.pem", "edge.tcp=false", "edge.ws=false"]
    with pytest.raises(InvalidSetting, match=r"set directory\.public\.main\.tls, directory\.public\.main\.wss"):
        config.check_exposure(loaded(*sets))
    for kind in ("tls", "wss"):
        sets += [f"directory.public.{name}.{kind}={address}" for name, address in PUBLIC.items()]
    config.check_exposure(loaded(*sets))


@pytest.mark.row("AUTH-1")
@pytest.mark.parametrize("mode", ["tokens", "jwt", "webhook"])
def test_other_authorities_may_listen_anywhere(mode: str) -> None:
    needed = ["auth.jwks=keys.json", "auth.audience=chat", "auth.webhook_url=https://id.example.net/"]
    sets = ["directory.host=0.0.0.0", f"auth.mode={mode}", *needed]
    for kind in ("tcp", "ws"):
        sets += [f"directory.public.{name}.{kind}={address}" for name, address in PUBLIC.items()]
    config.check_exposure(loaded(*sets))


@pytest.mark.parametrize(
    ("sets", "told"),
    [
        (["edge.key=chat.key"], "edge.key is the key of a certificate"),
        (["auth.mode=jwt"], "auth.mode = jwt needs auth.jwks and auth.audience"),
        (["auth.mode=jwt", "auth.jwks=a", "auth.audience=b", "auth.login_claim="], "needs auth.login_claim"),
        (["auth.mode=webhook"], "auth.mode = webhook needs auth.webhook_url"),
        (["auth.webhook_url=id.example.net"], "expected http://HOST/"),
    ],
)
def test_half_of_a_certificate_or_of_an_authority(sets: list[str], told: str) -> None:
    assert told in refused(*sets)


def test_ports_that_collide() -> None:
    """Both settings are named."""
    with pytest.raises(InvalidSetting, match=r"main websocket and event tcp would both .* 6669: change edge\.ws_port"):
        config.check_ports(loaded("edge.ws_port=6669"))
    with pytest.raises(InvalidSetting, match=r"aws tcp would listen on port 65536: lower edge\.tcp_port"):
        config.check_ports(loaded("edge.tcp_port=65535"))


def test_servers_of_chat_logs() -> None:
    """A list per cluster, from wherever, cluster by cluster."""
    found = config.load(
        None,
        {"GODWIT_NATS__SERVERS__MAIN": "nats://a:1, nats://b:2", "GODWIT_CLUSTERS": "main,aws"},
        ["nats.servers.aws=tls://c:3", "nats.replicas=1"],
    ).settings.nats
    assert found.servers == {"main": ["nats://a:1", "nats://b:2"], "aws": ["tls://c:3"]}
    assert found.replicas == 1


def test_domains_of_chat_logs(tmp_path: Path) -> None:
    """A name per cluster, from wherever; a comma makes no list of it."""
    file = tmp_path / "godwit.toml"
    file.write_text(
        'clusters = ["main", "aws"]\n[nats.servers]\nmain = ["nats://a:1"]\naws = ["nats://a:1"]\n'
        '[nats.domains]\nmain = "north"\naws = "far"\n',
        encoding="utf-8",
    )
    found = config.load(file, {"GODWIT_NATS__DOMAINS__AWS": "south"}).settings.nats
    assert found.domains == {"main": "north", "aws": "south"}


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("nats.servers.main=nats://a:1", "nats.servers names no servers for aws, event, group"),
        ("nats.servers.moon=nats://a:1", "nats.servers.moon: there is no cluster moon"),
        ("nats.servers.main=a:1", "nats.servers.main = 'a:1' cannot be: expected nats://HOST:PORT"),
        ("nats.servers.main.tcp=a:1", "there is no setting nats.servers.main.tcp"),
        ("nats.domains.main=far", "nats.domains.main: nats.servers names no servers for main"),
        ("nats.domains.main.x=far", "there is no setting nats.domains.main.x"),
        ("nats.domains=far", "nats.domains = 'far' (--set) cannot be: expected cluster=domain"),
        ("nats.replicas=2", "nats.replicas = '2' (--set) cannot be: expected one of 1, 3, 5"),
        ("node.url=here", "node.url = 'here' cannot be"),
        ("node.host=0.0.0.0", "node.host = 0.0.0.0 says no address that others could use"),
    ],
)
def test_half_a_network_is_refused(given: str, text: str) -> None:
    """With one line that names what is missing."""
    with pytest.raises(InvalidSetting) as refused:
        config.load(None, {}, [given])
    assert text in str(refused.value)


def test_dialects(tmp_path: Path) -> None:
    """One per cluster, from wherever."""
    file = tmp_path / "godwit.toml"
    file.write_text('[edge.dialect]\nmain = "2016"\naws = "2016"\n', encoding="utf-8")
    assert config.load(None, {}).settings.edge.dialect == {}
    found = config.load(file, {"GODWIT_EDGE__DIALECT__AWS": "now"}).settings.edge.dialect
    assert found == {"main": "2016", "aws": "now"}


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("edge.dialect.main=2015", "edge.dialect = {'main': '2015'} (--set) cannot be: expected cluster=now or"),
        ("edge.dialect.moon=2016", "edge.dialect.moon: there is no cluster moon, only main, aws, event, group"),
        ("edge.dialect=2016", "edge.dialect = '2016' (--set) cannot be: expected cluster=now or cluster=2016"),
    ],
)
def test_dialects_that_cannot_be(given: str, text: str) -> None:
    """With one line that names what is wrong."""
    with pytest.raises(InvalidSetting) as refused:
        config.load(None, {}, [given])
    assert text in str(refused.value)


@pytest.mark.parametrize("domain", ["a.b", "a,b", "", "*"])
def test_domains_that_cannot_be(domain: str) -> None:
    """They are parts of subjects."""
    sets = ["clusters=main", "nats.servers.main=nats://a:1", f"nats.domains.main={domain}"]
    with pytest.raises(InvalidSetting, match=r"nats\.domains\.main = '.*' cannot be: expected letters, digits"):
        config.load(None, {}, sets)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file with a secret and the end of its line."""
    file = tmp_path / "secret"
    file.write_text("hush\n")
    return file


@pytest.mark.parametrize("name", sorted(config.SECRETS - {"store.password"}))
def test_secrets_from_files(name: str, secret: Path) -> None:
    """Each has a twin that names a file, wherever settings are given; later sources win over earlier ones."""
    assert config.value_of(loaded(f"{name}_file={secret}"), name) == "hush"
    environ = {config.env_name(name) + "_FILE": str(secret)}
    found = config.load(None, environ, [])
    assert config.value_of(found.settings, name) == "hush"
    assert found.origins[name] == f"{name}_file = {secret}, {config.env_name(name)}_FILE"
    assert config.value_of(config.load(None, environ, [f"{name}=other"]).settings, name) == "other"


def test_a_secret_is_given_once(secret: Path) -> None:
    """Nobody needs to guess which one counts."""
    told = refused("auth.admin_token=x", f"auth.admin_token_file={secret}")
    assert told.startswith("give either auth.admin_token or auth.admin_token_file, not both (--set and ")


def test_secrets_that_cannot_be_read(tmp_path: Path, secret: Path) -> None:
    """One line that names the file; what it has is not told."""
    assert "cannot be read: No such file or directory" in refused(f"live.token_file={tmp_path}/none")
    assert "cannot be read: Is a directory" in refused(f"live.token_file={tmp_path}")
    secret.write_text(" \n")
    assert "the file is empty" in refused(f"live.token_file={secret}")
    secret.write_bytes(b"\xff")
    assert "expected the name of a text file" in refused(f"live.token_file={secret}")
    secret.write_text("hu sh")
    assert "hu sh" not in refused(f"live.token_file={secret}")
    secret.write_text("live = { token_file = 3 }")
    assert "expected the name of a text file" in refused(file=secret)
    assert "there is no setting edge.host_file" in refused("edge.host_file=x")


def test_url_of_the_store(secret: Path) -> None:
    """The password comes into it, and is never shown."""
    url = "postgresql://ann@one:1,two:2/godwit?sslmode=require"
    store = loaded(f"store.url={url}", f"store.password_file={secret}").store
    assert store.url == "postgresql://ann:hush@one:1,two:2/godwit?sslmode=require"
    assert config.shown("store.url", store.url) == '"postgresql://ann:***@one:1,two:2/godwit?sslmode=require"'
    assert loaded("store.url=postgresql:///godwit?host=/run/pg").store.url == "postgresql:///godwit?host=/run/pg"


@pytest.mark.parametrize(
    "url", ["mysql://ann:hush@h/x", "sqlite:///hush", "h/hush", "postgresql:/hush", "postgresql://h/x hush"]
)
def test_urls_that_cannot_be(url: str) -> None:
    """The password may stand at the wrong place: nothing of the URL is repeated."""
    told = refused(f"store.url={url}")
    assert told.startswith("store.url cannot be: expected postgresql://USER@HOST/DATABASE")
    assert "hush" not in told
    assert refused("store.password=hush") == "store.password is for PostgreSQL: give store.url too"
