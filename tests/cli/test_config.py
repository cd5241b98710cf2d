"""`godwit config`."""

from __future__ import annotations

from pathlib import Path

from godwit.settings import rows
from godwit.wire import sending
from tests.cli.conftest import as_json, run

SECRET = "hush-hush"


def test_show_tells_everything_but_secrets() -> None:
    """Value and origin of each setting."""
    done = run("config", "show", "--set", "edge.ping_interval=7", env={"GODWIT_AUTH__ADMIN_TOKEN": SECRET})
    lines = done.out.splitlines()
    assert [line.partition(" = ")[0] for line in lines] == [name for name, _, _ in rows()]
    assert "edge.ping_interval = 7.0  (--set)" in lines
    assert "auth.admin_token = (hidden)  (GODWIT_AUTH__ADMIN_TOKEN)" in lines
    assert 'limits.preset = "now"  (default)' in lines
    assert SECRET not in done.out


def test_show_as_json() -> None:
    """By dotted name."""
    done = run("config", "show", "--json", env={"GODWIT_AUTH__ADMIN_TOKEN": SECRET})
    found = as_json(done.out)
    assert found["edge.tcp_port"] == {"value": 6667, "from": "default"}
    assert found["auth.admin_token"] == {"value": "(hidden)", "from": "GODWIT_AUTH__ADMIN_TOKEN"}
    assert SECRET not in done.out


def test_check(tmp_path: Path) -> None:
    """What a server would refuse is refused here."""
    file = tmp_path / "godwit.toml"
    file.write_text("[edge]\nws_port = 9000\n")
    assert run("config", "check", "--config", str(file)).out == (
        f"the settings are fine\nlines go to clients by a loop in {sending.which()}\n"
    )
    assert "edge.ws_port" in run("config", "check", "--config", str(file), "--set", "edge.tcp_port=8999").refusal
    assert "is not loopback" in run("config", "check", "--set", "edge.host=0.0.0.0").refusal
    assert "did you mean edge.host?" in run("config", "check", "--set", "edge.hots=x").refusal
    assert "longer than log.compare_interval" in run("config", "check", "--set", "move.lease=2").refusal


def test_explain() -> None:
    """Meaning, type, default, value, and the ways to give it."""
    assert run("config", "explain", "move.drain", "--set", "move.drain=5").out.splitlines() == [
        "move.drain: Seconds for which the cluster that was left serves everybody, after a switch.",
        "takes:    a number, 0 or more",
        "default:  60.0",
        "now:      5.0 (--set)",
        "give it:  --set move.drain=...   or GODWIT_MOVE__DRAIN=...   or drain = ... under [move] in the file of "
        "--config",
    ]


def test_every_setting_is_explained() -> None:
    """The top one too, and the secret one without its value."""
    for name, _, text in rows():
        done = run("config", "explain", name, env={"GODWIT_AUTH__ADMIN_TOKEN": SECRET})
        assert done.status == 0
        assert text in done.out
        assert SECRET not in done.out


def test_explain_what_is_not() -> None:
    """The nearest name is told."""
    assert run("config", "explain", "drain").refusal == "there is no setting drain: did you mean move.drain?"
