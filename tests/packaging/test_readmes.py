"""The READMEs name what there is; those of plugins are seen to by `PluginConformance`."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module
from typing import TYPE_CHECKING

import attrs
import pytest

from peerloom import NetworkConfig
from peerloom._core_plugins import core_plugins
from peerloom.plugin import Command, ConfigSection, Event
from tests.packaging.tree import ROOT, example_of_the_readme, project_texts

if TYPE_CHECKING:
    from pathlib import Path

CORE_PLUGINS = core_plugins(NetworkConfig())
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")


def test_the_readme_of_core_names_every_command_and_event() -> None:
    module = import_module("peerloom")
    offered = {
        name
        for name in module.__all__
        if isinstance(thing := getattr(module, name), type)
        and issubclass(thing, (Command, Event))
        and thing not in (Command, Event)
    }

    assert offered
    assert not offered - _named_in(ROOT / "core")


def test_the_readme_of_core_names_every_setting() -> None:
    config = import_module("peerloom").NetworkConfig
    sections = [section for plugin in CORE_PLUGINS for section in _sections(plugin)]
    settings = _settings(config) | _settings(*(section.config_class for section in sections))

    assert sections
    assert not settings - _named_in(ROOT / "core")


def _sections(plugin: object) -> list[ConfigSection]:
    hook = getattr(plugin, "peerloom_config_sections", list)
    return list(hook())


def _settings(*classes: type[attrs.AttrsInstance]) -> set[str]:
    return {attribute.name for each in classes for attribute in attrs.fields(each)}


def _named_in(package: Path) -> set[str]:
    return set(
        re.findall(r"`(\w+)(?:\([^`]*\))?`", (package / "README.md").read_text(encoding="utf-8"))
    )


@pytest.mark.timeout(180)  # a cold cache of mypy
def test_the_example_of_the_readme_is_typed() -> None:
    program, _ = example_of_the_readme()
    command = [sys.executable, "-m", "mypy", "--strict", "--command", program]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout


def test_links_between_documents_lead_somewhere() -> None:
    dead = [
        f"{name}: {target}"
        for name, text in project_texts()
        if name.endswith(".md")
        for target in LINK.findall(text)
        if "://" not in target and not (ROOT / name).parent.joinpath(target).exists()
    ]

    assert not dead
