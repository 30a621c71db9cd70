"""Configuration: values in code, and the sections and plugins that are in use."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from attrs import fields
from multiaddr import Multiaddr

from peerloom._config import Limits, NetworkConfig, PluginSelection
from peerloom._config_file import load_config, load_plugin_selection, resolve_settings
from peerloom._discovery._config import DiscoveryConfig
from peerloom._errors import ConfigError
from peerloom._meta._perf import PerfConfig
from peerloom._meta._ping import PingConfig
from peerloom._peer_id import PeerId
from tests.core.config_kit import HERE, PEER, SECTION, Everything, Inner, load, settings_of


def test_addresses_are_taken_as_text_or_multiaddr() -> None:
    config = NetworkConfig(listen=[HERE, Multiaddr(HERE)])

    assert config.listen == (Multiaddr(HERE), Multiaddr(HERE))
    assert NetworkConfig(data_folder="x").data_folder == Path("x")
    assert NetworkConfig(identity="x.key").identity == Path("x.key")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"listen": HERE}, "expected a list"),
        ({"listen": ["/ip4/1.2.3.4/tcp/99999"]}, "expected an address such as"),
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
