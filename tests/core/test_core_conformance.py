"""Core's own plugins pass what every plugin passes, as far as it can be asked of them.

They have no entry points, and each node makes its own: one object never serves two nodes.
"""

from __future__ import annotations

from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from peerloom import NetworkConfig
from peerloom._core_plugins import core_plugins
from peerloom._plugins import Candidate, load_plugins
from peerloom.plugin import Command, Event
from peerloom.testing import _life, _paperwork
from peerloom.testing._subject import Subject

if TYPE_CHECKING:
    from types import ModuleType

    from peerloom._plugins import LoadedPlugin

NAMES = [one.info.name for one in core_plugins(NetworkConfig())]
PUBLIC = {**vars(import_module("peerloom")), **vars(import_module("peerloom.plugin"))}
MESSAGES = [
    one
    for one in PUBLIC.values()
    if isinstance(one, type) and issubclass(one, (Command, Event)) and one not in {Command, Event}
]


class CoreSubject(Subject):
    """One of core's plugins, made anew for each bench."""

    @cached_property
    def candidate(self) -> Candidate:
        return Candidate(self.name, "peerloom", "", self._make)

    @cached_property
    def loaded(self) -> LoadedPlugin:
        return load_plugins([self.candidate]).plugins[0]

    @cached_property
    def package(self) -> ModuleType:
        return import_module("peerloom")

    @property
    def commands(self) -> list[type[Command[Any]]]:
        return [one for one in MESSAGES if issubclass(one, Command)]

    def _make(self) -> object:
        [made] = [one for one in core_plugins(NetworkConfig()) if one.info.name == self.name]
        return made


@pytest.fixture(params=NAMES)
def subject(request: pytest.FixtureRequest) -> CoreSubject:
    return CoreSubject(request.param, {})


def test_commands_and_events_are_frozen_typed_and_documented() -> None:
    _paperwork.check_frozen(MESSAGES)
    _paperwork.check_typed(MESSAGES)
    _paperwork.check_documented(MESSAGES)


def test_configuration_round_trips_and_is_documented(subject: Subject) -> None:
    _paperwork.check_configuration(subject)
    _paperwork.check_settings_documented(subject)


async def test_what_it_serves_is_well_formed(subject: Subject) -> None:
    await _life.check_served(subject)


async def test_it_starts_and_stops_without_leaking(subject: Subject) -> None:
    await _life.check_starts_and_stops(subject)


async def test_it_restarts_without_leaking(subject: Subject) -> None:
    await _life.check_restarts(subject)


async def test_it_survives_a_failing_swarm(subject: Subject) -> None:
    await _life.check_survives_failing_swarm(subject, ())


async def test_it_survives_what_peers_send(subject: Subject) -> None:
    await _life.check_survives_peers(subject)
