"""The advice on plugins of ours that are not there."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from peerloom import ConfigError, NetworkConfig, Node, PeerId
from peerloom._config import PluginSelection
from peerloom._config_file import load_config, resolve_settings
from peerloom._known_plugins import KNOWN_PLUGINS, is_installed, name_advice, plugin_of_word
from peerloom._plugin_order import start_order
from peerloom.plugin import PluginInfo
from tests.packaging.tree import ROOT

if TYPE_CHECKING:
    from pathlib import Path

NAMES = [one.name for one in KNOWN_PLUGINS]
FOLDERS = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_every_plugin_of_this_project_is_known(folder: Path) -> None:
    known = next(one for one in KNOWN_PLUGINS if one.name == folder.name)
    assert f'name = "{known.distribution}"' in (folder / "pyproject.toml").read_text()
    assert (folder / "src" / known.package).is_dir()
    assert is_installed(known.distribution)


def test_those_to_come_are_those_that_do_not_exist() -> None:
    assert {one.name for one in KNOWN_PLUGINS if not one.to_come} == {one.name for one in FOLDERS}


def test_what_is_to_come_is_not_to_be_installed() -> None:
    for one in KNOWN_PLUGINS:
        assert ("pip" in one.remedy) != one.to_come
        assert ("still to come" in one.remedy) == one.to_come


def test_they_are_in_order_and_each_stands_for_itself() -> None:
    assert sorted(NAMES) == NAMES
    assert not is_installed("peerloom-nothing")
    assert all(plugin_of_word(one.name) is one for one in KNOWN_PLUGINS)
    assert all(plugin_of_word(word) is one for one in KNOWN_PLUGINS for word in one.words)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("strem", "did you mean stream?"),
        ("mdns", "it comes with peerloom-mdns, which is still to come"),
        (
            "gosipsub",
            (
                "did you mean gossipsub? It comes with peerloom-gossipsub: "
                "pip install peerloom-gossipsub"
            ),
        ),
        (
            "rendezvus",
            "did you mean rendezvous? It comes with peerloom-rendezvous, which is still to come",
        ),
        ("qqq", "there are ping, stream"),
    ],
)
def test_a_name_that_nothing_has_is_explained(name: str, advice: str) -> None:
    assert name_advice(name, ["stream", "ping"]) == advice


def test_a_name_that_can_be_installed_says_how() -> None:
    advice = "it comes with peerloom-stream: pip install peerloom-stream"
    assert name_advice("stream", ["ping"]) == advice


def test_a_section_of_a_plugin_that_is_not_installed_names_what_brings_it() -> None:
    with pytest.raises(
        ConfigError, match=r"kad: no such setting; it comes with peerloom-kad, which"
    ):
        load_config(None, {}, {"kad": {"server": True}}, [])
    with pytest.raises(
        ConfigError, match=r"did you mean mdns\? It comes with peerloom-mdns, which"
    ):
        resolve_settings(NetworkConfig(settings={"mdsn": {}}), [])


def test_a_capability_that_nobody_provides_names_who_would() -> None:
    _, refused = start_order([PluginInfo("news", requires={"pubsub"})])
    assert refused["news"].endswith("install or enable one that does, such as peerloom-gossipsub")
    _, refused = start_order([PluginInfo("news", requires={"relay"})])
    assert refused["news"].endswith(
        "install or enable one that does, such as peerloom-relay (still to come)"
    )
    _, refused = start_order([PluginInfo("news", requires={"paper"})])
    assert refused["news"].endswith("install or enable one that does")


async def test_to_disable_one_of_ours_that_is_not_installed_is_no_mistake(
    caplog: pytest.LogCaptureFixture,
) -> None:
    chosen = PluginSelection(disabled=["mdns", "mdnss"])
    with caplog.at_level(logging.WARNING, "peerloom.plugins"):
        async with Node(NetworkConfig(plugins=chosen)) as node:
            assert isinstance(node.peer_id, PeerId)
    [record] = caplog.records
    assert "mdnss is disabled, but there is no such plugin; did you mean mdns?" in record.message
