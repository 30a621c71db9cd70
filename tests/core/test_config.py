"""Configuration: values in code, in files, in variables and on the command line."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
import tomllib
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import attrs
import pytest
from attrs import field, fields, frozen
from hypothesis import given
from hypothesis import strategies as st
from multiaddr import Multiaddr

from peerloom._config import ConfigSection, Limits, NetworkConfig, PluginSelection, at_least
from peerloom._config_file import load_config, load_plugin_selection, resolve_settings
from peerloom._config_text import default_config_text, toml_value
from peerloom._discovery._config import DiscoveryConfig
from peerloom._errors import ConfigError
from peerloom._meta._perf import PerfConfig
from peerloom._meta._ping import PingConfig
from peerloom._peer_id import PeerId

if TYPE_CHECKING:
    from collections.abc import Mapping

PEER = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp"
HERE = "/ip4/127.0.0.1/tcp/0"


class Policy(Enum):
    STRICT = "strict"
    LAX = "lax"


@frozen
class Inner:
    """What is inside.

    Attributes:
        depth: how deep.
    """

    depth: int = 1


@frozen
class Everything:
    """All types that a setting can have.

    Attributes:
        interval_seconds: how often, which needs
            a second line.
        size: how big.
    """

    interval_seconds: float = field(default=15.0, validator=at_least(0.1))
    size: int = field(default=3, validator=attrs.validators.ge(0))
    on: bool = True
    label: str = 'a "label"\twith\\ everything\x7f'
    folder: Path | None = None
    at: Multiaddr | None = None
    who: PeerId | None = None
    names: tuple[str, ...] = ("a", "b, c")
    sizes: list[int] = field(factory=lambda: [1, 2])
    mode: Literal["client", "server"] = "client"
    policy: Policy = Policy.STRICT
    inner: Inner = field(factory=Inner)
    inners: tuple[Inner, ...] = (Inner(2),)
    weights: Mapping[str, float] = field(factory=lambda: {"x": 1.0, "a b": 2.5})


SECTION = ConfigSection("everything", Everything, "All types.")


def load(
    text: str = "",
    tmp_path: Path | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
) -> NetworkConfig:
    file = None
    if tmp_path is not None:
        file = tmp_path / "node.toml"
        file.write_text(text, encoding="utf-8")
    return load_config(file, environ or {}, overrides or {}, [SECTION])


def settings_of(config: NetworkConfig) -> Everything:
    found = resolve_settings(config, [SECTION])["everything"]
    assert isinstance(found, Everything)
    return found


def test_addresses_are_taken_as_text_or_multiaddr() -> None:
    config = NetworkConfig(listen=[HERE, Multiaddr(HERE)])

    assert config.listen == (Multiaddr(HERE), Multiaddr(HERE))
    assert NetworkConfig(data_folder="x").data_folder == Path("x")
    assert NetworkConfig(identity="x.key").identity == Path("x.key")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"listen": HERE}, "expected a list"),
        ({"listen": ["/ip4/1.2.3.4/tcp/99999"]}, "is not an address"),
        ({"listen": [""]}, "empty"),
        ({"listen": [f"{HERE}/p2p/{PEER}"]}, "must not end in"),
        ({"bootstrap": [HERE]}, "must end in /p2p/<peer id>"),
        ({"keep_alive_seconds": -1}, "keep_alive_seconds must be at least 0, not -1"),
        ({"keep_alive_seconds": "long"}, "keep_alive_seconds must be at least 0, not long"),
        ({"listen": None}, "expected a list of addresses, found None"),
        ({"security": "tls"}, "expected a list of names, found 'tls'"),
        ({"limits": 5}, "limits must be a Limits, not 5"),
        ({"plugins": ["stream"]}, "plugins must be a PluginSelection, not ['stream']"),
        ({"settings": []}, "settings must be a Mapping, not []"),
        ({"data_folder": 5}, "data_folder must be a Path, not 5"),
        ({"identity": 5}, "identity must be a KeyPair or a Path, not 5"),
        ({"strict": 5}, "strict must be a bool, not 5"),
        ({"free_port_if_taken": "no"}, "free_port_if_taken must be a bool, not 'no'"),
        ({"security": [5]}, "expected a list of names, found 5 in it"),
    ],
)
def test_wrong_value_in_code_is_a_config_error(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(text)):
        NetworkConfig(**arguments)


def test_limits_refuse_zero() -> None:
    with pytest.raises(ConfigError, match="total must be at least 1, not 0"):
        Limits(total=0)


@pytest.mark.parametrize("config_class", [Limits, DiscoveryConfig, PingConfig, PerfConfig])
@pytest.mark.parametrize("value", [1.5, True, "2", None])
def test_whole_numbers_are_whole_in_code_as_in_a_file(
    config_class: type[Any], value: object
) -> None:
    names = [each.name for each in fields(config_class) if each.type == "int"]
    for name in names:
        with pytest.raises(ConfigError, match=f"{name} must be a whole number, not {value!r}"):
            config_class(**{name: value})
    assert names


def test_boot_nodes_come_apart_into_peer_and_address() -> None:
    config = NetworkConfig(bootstrap=[f"/ip4/1.2.3.4/tcp/1/p2p/{PEER}"])

    assert config.boot_nodes() == ((PeerId.from_string(PEER), Multiaddr("/ip4/1.2.3.4/tcp/1")),)


def test_default_text_loads_as_the_defaults(tmp_path: Path) -> None:
    config = load(default_config_text([SECTION]), tmp_path)

    assert settings_of(config) == Everything()
    assert attrs.evolve(config, settings={}) == NetworkConfig()


def test_default_text_with_every_setting_in_effect_loads_as_the_defaults(tmp_path: Path) -> None:
    text = re.sub(r"^#(?! )", "", default_config_text([SECTION]), flags=re.MULTILINE)

    config = load(text, tmp_path)

    assert settings_of(config) == Everything()
    assert attrs.evolve(config, settings={}) == NetworkConfig()


def test_default_text_says_what_settings_mean_and_takes_values(tmp_path: Path) -> None:
    values = {"listen": [HERE], "everything": {"size": 7, "inner": {"depth": 9}}}

    text = default_config_text([SECTION], values)
    config = load(text, tmp_path)

    assert "# how often, which needs a second line.\n#interval_seconds = 15.0\n" in text
    assert "# All types.\n[everything]" in text
    assert config.listen == (Multiaddr(HERE),)
    assert settings_of(config) == Everything(size=7, inner=Inner(9))


@given(
    st.recursive(
        st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_toml_value_is_read_back_by_the_standard_library(value: object) -> None:
    assert tomllib.loads(f"value = {toml_value(value)}") == {"value": value}


@given(
    st.builds(
        Everything,
        interval_seconds=st.floats(0.1, 1e9),
        size=st.integers(0, 2**60),
        on=st.booleans(),
        label=st.text(),
        names=st.lists(st.text()).map(tuple),
        sizes=st.lists(st.integers(0, 2**60)),
        mode=st.sampled_from(["client", "server"]),
        policy=st.sampled_from(Policy),
        inners=st.lists(st.builds(Inner, st.integers(0, 99))).map(tuple),
        weights=st.dictionaries(st.text(), st.floats(0, 9)),
    )
)
def test_settings_come_back_from_the_file_that_was_written(settings: Everything) -> None:
    values = attrs.asdict(settings, recurse=False)
    text = default_config_text([SECTION], {"everything": values})

    tree = tomllib.loads(text)["everything"]
    config = NetworkConfig(settings={"everything": tree})

    assert settings_of(config) == settings


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


def test_sections_of_absent_plugins_are_left_unread() -> None:
    overrides = {"kad": {"anything": 1}}

    assert load_config(None, {}, overrides, [], absent=["kad"]).settings == {}
    with pytest.raises(ConfigError, match="kad: no such setting"):
        load_config(None, {}, overrides, [])


def test_section_that_an_absent_plugin_may_read_is_left_unread_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    overrides: dict[str, Any] = {"routing": {"bits": 256}, "limits": {"total": 7}}

    with caplog.at_level(logging.WARNING, "peerloom.config"):
        config = load_config(None, {}, overrides, [SECTION], absent=["kad", "limits"])

    assert config == NetworkConfig(limits=Limits(total=7))
    (record,) = caplog.records
    assert record.getMessage().startswith("the command line: [routing] is not read")
    assert record.getMessage().endswith("one that is not in use (kad, limits)")
    with pytest.raises(ConfigError, match="routing: no such setting"):
        load_config(None, {}, overrides, [SECTION])
    with pytest.raises(ConfigError, match=r"listn: no such setting; did you mean listen\?"):
        load_config(None, {}, {"listn": []}, [SECTION], absent=["kad"])


def test_section_of_a_plugin_in_use_is_read_although_another_of_its_name_is_absent() -> None:
    overrides = {"everything": {"size": 9}}

    config = load_config(None, {}, overrides, [SECTION], absent=["everything"])

    assert settings_of(config).size == 9


def test_settings_in_code_of_an_absent_plugin_are_left_unread_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    config = NetworkConfig(settings={"routing": Inner(), "everithing": {}})

    with caplog.at_level(logging.WARNING, "peerloom.config"):
        settings = resolve_settings(config, [SECTION], absent=["kad"])

    assert settings == {"everything": Everything()}
    assert [record.getMessage().partition(" is ")[0] for record in caplog.records] == [
        "NetworkConfig.settings: [routing]",
        "NetworkConfig.settings: [everithing]",
    ]
    assert "did you mean everything?" in caplog.text


def test_settings_in_code_are_instances_or_mappings() -> None:
    assert settings_of(NetworkConfig()) == Everything()
    assert settings_of(NetworkConfig(settings={"everything": Everything(size=9)})).size == 9
    assert settings_of(NetworkConfig(settings={"everything": {"size": 9}})).size == 9
    with pytest.raises(ConfigError, match=r"NetworkConfig.settings: everything.siz: no such"):
        settings_of(NetworkConfig(settings={"everything": {"siz": 9}}))
    with pytest.raises(ConfigError, match=r"NetworkConfig.settings: every: no such setting"):
        settings_of(NetworkConfig(settings={"every": {}}))
    assert resolve_settings(NetworkConfig(settings={"kad": {}}), [], absent=["kad"]) == {}


def test_plugins_are_selected_by_the_layer_that_names_them_last(tmp_path: Path) -> None:
    file = tmp_path / "node.toml"
    file.write_text("[plugins]\ndisabled = ['mdns', 'kad']")

    def selected(variable: str = "", disabled: tuple[str, ...] = ()) -> PluginSelection:
        environ = {"PEERLOOM_PLUGINS": variable} if variable else {}
        overrides = {"plugins": {"disabled": disabled}} if disabled else {}
        return load_plugin_selection(file, environ, overrides)

    assert selected() == PluginSelection((), ("mdns", "kad"))
    assert selected("mdns, stream") == PluginSelection(("mdns", "stream"), ("kad",))
    assert selected("stream,-x") == PluginSelection(("stream",), ("x",))
    assert selected("mdns", ("mdns",)) == PluginSelection(("mdns",), ("mdns",))
    assert load_config(file, {}, {}, []).plugins == PluginSelection(disabled=("mdns", "kad"))


def test_unknown_word_about_plugins_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"plugins\.enable: no such setting; did you mean ena"):
        load(overrides={"plugins": {"enable": ["x"]}})


def test_configuration_is_read_without_libp2p() -> None:
    code = (
        "import sys, peerloom._config_file, peerloom._config_text, peerloom._store;"
        "peerloom._config_text.default_config_text([]);"
        "sys.exit('libp2p' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=30).returncode == 0
