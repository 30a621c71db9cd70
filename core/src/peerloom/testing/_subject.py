"""Subject: an installed plugin, as the tests of `PluginConformance` look at it."""

from __future__ import annotations

import json
import re
from functools import cached_property
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlparse

import attrs

from peerloom._commands import Command
from peerloom._errors import PluginError
from peerloom._events import Event
from peerloom._hookspecs import ENTRY_POINT_GROUP, PluginInfo
from peerloom._plugins import given_candidate, installed_candidates, load_plugins

from ._bench import Bench

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from importlib.metadata import Distribution, EntryPoint
    from types import ModuleType

    from peerloom._plugins import Candidate, LoadedPlugin

_READMES: Final = ("README.md", "README.rst", "README.txt", "README")
_NAMED: Final = re.compile(r"`+(?:\w+\.)*(\w+)(?:\([^`]*\))?`+")  # `Ping`, `Ping(peer)`, ``x.y``


class Subject:
    """One plugin: what was installed, what it is made of, and how to run it."""

    def __init__(self, name: str, settings: Mapping[str, object]) -> None:
        """Take an entry point's name, and the settings to run it with, by section."""
        self.name = name
        self._settings = settings

    @cached_property
    def point(self) -> EntryPoint:
        """Its entry point."""
        found = [one for one in entry_points(group=ENTRY_POINT_GROUP) if one.name == self.name]
        assert found, (
            f"no installed distribution has an entry point {self.name!r} in the group "
            f"{ENTRY_POINT_GROUP!r}: pip install it (--editable will do), or correct the name"
        )
        origins = ", ".join(str(one.dist and one.dist.name) for one in found)
        assert len(found) == 1, (
            f"several distributions have an entry point {self.name!r}: {origins}"
        )
        return found[0]

    @property
    def distribution(self) -> Distribution:
        """What it was installed by."""
        assert self.point.dist is not None
        return self.point.dist

    @cached_property
    def package(self) -> ModuleType:
        """The module whose public names are the plugin's."""
        return import_module(self.point.module.partition(".")[0])

    @cached_property
    def candidate(self) -> Candidate:
        """What a node finds."""
        return installed_candidates([self.point])[0]

    @cached_property
    def loaded(self) -> LoadedPlugin:
        """What a node makes of it; raises `PluginError`."""
        needed = given_candidate(_Provider(getattr(self.candidate.load(), "info", None)))
        inventory = load_plugins([self.candidate, needed])
        if inventory.broken:
            raise PluginError(str(inventory.broken[0]))
        return next(one for one in inventory.plugins if one.name == self.name)

    def companions(self) -> list[_Provider]:
        """What it cannot do without: a plugin that stands for the capabilities it requires."""
        return [_Provider(self.loaded.info)] if self.loaded.info.requires else []

    def settings(self) -> Mapping[str, object]:
        """What to run it with."""
        return self._settings

    def bench(self) -> Bench:
        """It alone, not strict, as `Plugins.running`."""
        others = [given_candidate(one) for one in self.companions()]
        inventory = load_plugins([self.candidate, *others])
        return Bench(inventory, self._settings, strict=False)

    @property
    def commands(self) -> list[type[Command[Any]]]:
        """The commands among its public names."""
        return list(self._public(Command))

    @property
    def events(self) -> list[type[Event]]:
        """The events among its public names."""
        return list(self._public(Event))

    @property
    def messages(self) -> list[type[Any]]:
        """Both."""
        return [*self.commands, *self.events]

    @property
    def setting_names(self) -> set[str]:
        """Every setting of its sections."""
        return {
            name
            for section in self.loaded.sections
            for one in classes(section.config_class)
            for name in attrs.fields_dict(one)
        }

    @cached_property
    def named_in_readme(self) -> set[str]:
        """What its README writes in backticks."""
        return set(_NAMED.findall(self._readme()))

    def _public(self, kind: type[Any]) -> Iterator[type[Any]]:
        package = self.package.__name__
        for name, value in sorted(vars(self.package).items()):
            if name.startswith("_") or not isinstance(value, type) or not issubclass(value, kind):
                continue
            if f"{value.__module__}.".startswith(f"{package}."):
                yield value

    def _readme(self) -> str:
        """Of the source where it is installed to be edited, else what the distribution carries."""
        for name in _READMES:
            path = self._source() / name
            if path.is_file():
                return path.read_text(encoding="utf-8")
        metadata = self.distribution.metadata
        return metadata["Description"] or str(metadata.get_payload() or "")  # type: ignore[attr-defined]  # it is a Message

    def _source(self) -> Path:
        origin = json.loads(self.distribution.read_text("direct_url.json") or "{}")
        if not origin.get("dir_info", {}).get("editable"):
            return Path("/nowhere")
        return Path(unquote(urlparse(origin["url"]).path))


class _Provider:
    """Stands for the plugins that provide what another requires."""

    def __init__(self, info: PluginInfo | None) -> None:
        required = info.requires if isinstance(info, PluginInfo) else frozenset[str]()
        self.info = PluginInfo("conformance-provider", provides=required)


def classes(config_class: type[Any]) -> Iterator[type[Any]]:
    """An attrs class, and those of the settings that are tables within it."""
    yield config_class
    for name in attrs.fields_dict(config_class):
        value = getattr(config_class(), name)
        if attrs.has(type(value)):
            yield from classes(type(value))
