"""Configuration from files, variables and the command line: who wins, and what is wrong where."""

from __future__ import annotations

from pathlib import Path

import pytest
from multiaddr import Multiaddr

from peerloom._config import Limits
from peerloom._config_file import load_config
from peerloom._errors import ConfigError
from peerloom._peer_id import PeerId
from tests.core.config_kit import HERE, PEER, Everything, Inner, Policy, load, settings_of


def test_later_layers_win_setting_by_setting(tmp_path: Path) -> None:
    config = load(
        "[everything]\nsize = 1\ninterval_seconds = 1\nlabel = 'file'",
        tmp_path,
        {"PEERLOOM_EVERYTHING__SIZE": "2", "PEERLOOM_EVERYTHING__INTERVAL_SECONDS": "2.5"},
        {"everything": {"size": "3"}},
    )

    assert settings_of(config) == Everything(size=3, interval_seconds=2.5, label="file")


def test_variables_are_read_by_the_type_of_the_setting() -> None:
    config = load(
        environ={
            "PEERLOOM_LISTEN": f"{HERE}, /ip6/::1/tcp/0",
            "PEERLOOM_STRICT": "yes",
            "PEERLOOM_LIMITS__PER_PEER": "2",
            "PEERLOOM_IDENTITY": "keys/node.key",
            "PEERLOOM_EVERYTHING__ON": "off",
            "PEERLOOM_EVERYTHING__WHO": PEER,
            "PEERLOOM_EVERYTHING__FOLDER": "",
            "PEERLOOM_EVERYTHING__NAMES": "",
            "PEERLOOM_EVERYTHING__POLICY": "lax",
            "PEERLOOM_EVERYTHING__INNER__DEPTH": "5",
            "PEERLOOM_CONFIG": "not-a-setting.toml",
            "PEERLOOM_REQUIRE_ALL": "1",
            "PATH": "/bin",
        }
    )

    assert config.listen == (Multiaddr(HERE), Multiaddr("/ip6/::1/tcp/0"))
    assert config.strict
    assert config.limits == Limits(per_peer=2)
    assert config.identity == Path("keys/node.key")
    assert settings_of(config) == Everything(
        on=False, who=PeerId.from_string(PEER), names=(), policy=Policy.LAX, inner=Inner(5)
    )


def test_paths_in_a_file_begin_at_the_file(tmp_path: Path) -> None:
    config = load("data_folder = 'data'\n[everything]\nfolder = '/abs'", tmp_path)

    assert config.data_folder == tmp_path / "data"
    assert settings_of(config).folder == Path("/abs")


def test_bootstrap_nodes_stand_in_a_section_of_their_own(tmp_path: Path) -> None:
    node = f"/ip4/1.2.3.4/tcp/1/p2p/{PEER}"

    config = load(f"[bootstrap]\nnodes = ['{node}']", tmp_path)

    assert config.bootstrap == (Multiaddr(node),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("listn = []", "listn: no such setting; did you mean listen?"),
        ("[everythin]\nsize = 1", "everythin: no such setting; did you mean everything?"),
        ("settings = {}", "settings: no such setting"),
        ("[everything]\nsizee = 1", "everything.sizee: no such setting; did you mean size"),
        ("[limits]\nzzz = 1", "there are pending_in, pending_out, per_peer"),
        ("[bootstrap]\nnodes = ['/ip4/1.2.3.4/tcp/1']", "bootstrap.nodes: /ip4/1.2.3.4"),
        ("bootstrap = 5", "bootstrap: expected a table, found 5"),
        ("listen = 'x'", "listen: expected a list, found 'x'"),
        ("listen = ['x']", "listen[0]: expected an address such as"),
        ("listen = ['']", "listen[0]: expected an address such as"),
        ("[listen]\na = 1", "listen: expected a list, found a table"),
        ("everything = 5", "everything: expected a table, found 5"),
        ("[everything]\nsize = '1'", "everything.size: expected a whole number, found '1'"),
        ("[everything]\nsize = true", "everything.size: expected a whole number, found True"),
        ("[everything]\nsize = -1", "everything.size: 'size' must be >= 0: -1"),
        ("[everything]\ninterval_seconds = 0", "interval_seconds must be at least 0.1, not 0"),
        ("[everything]\ninterval_seconds = nan", "interval_seconds: expected a number, found nan"),
        ("[everything]\non = 1", "everything.on: expected true or false, found 1"),
        ("[everything]\nlabel = 1", "everything.label: expected text, found 1"),
        ("[everything]\nlabel = {}", "everything.label: expected text, found a table"),
        ("[everything]\nwho = 'x'", "everything.who: expected a peer id, found 'x'"),
        ("[everything]\nmode = 'x'", "everything.mode: expected one of client, server, found 'x'"),
        ("[everything]\nmode = ['x']", "everything.mode: expected one of client, server"),
        ("[everything]\npolicy = 'x'", "everything.policy: expected one of strict, lax"),
        ("[everything]\nfolder = [1]", "everything.folder: expected a path, found [1]"),
        ("[everything]\ninner = 1", "everything.inner: expected a table, found 1"),
        ("[everything]\ninners = [{depht = 1}]", "everything.inners[0].depht: no such setting"),
        ("[everything.weights]\nx = 'y'", "everything.weights.x: expected a number, found 'y'"),
        ("listen = [", "not TOML"),
    ],
)
def test_wrong_file_is_an_error_naming_file_setting_and_way_out(
    text: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(text, tmp_path)

    assert str(caught.value).startswith(f"{tmp_path / 'node.toml'}: ")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("PEERLOOM_LISTN", "x", "listn: no such setting; did you mean listen?"),
        ("PEERLOOM_EVERYTHING__SIZE", "x", "everything.size: expected a whole number, found 'x'"),
        ("PEERLOOM_EVERYTHING__ON", "maybe", "everything.on: expected true or false"),
        ("PEERLOOM_EVERYTHING", "x", "everything: expected a table, found 'x'"),
        ("PEERLOOM_LIMITS__TOTAL", "0", "limits.total: total must be at least 1, not 0"),
    ],
)
def test_wrong_variable_is_an_error_naming_it(name: str, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(environ={name: text})

    assert str(caught.value).startswith(f"{name}: {message}")


def test_wrong_override_is_an_error_naming_the_command_line() -> None:
    with pytest.raises(ConfigError, match="the command line: strict: expected true or false"):
        load(overrides={"strict": "perhaps"})


def test_variable_that_is_both_setting_and_table_is_an_error() -> None:
    with pytest.raises(ConfigError, match="PEERLOOM_LIMITS__TOTAL: PEERLOOM_LIMITS gives limits"):
        load(environ={"PEERLOOM_LIMITS": "1", "PEERLOOM_LIMITS__TOTAL": "1"})


def test_missing_file_is_an_error_naming_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read: No such file"):
        load_config(tmp_path / "none.toml", {}, {}, [])
