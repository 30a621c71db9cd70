"""PluginConformance: the tests that every plugin passes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from . import _life, _paperwork
from ._subject import Subject

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from peerloom._commands import Command


class PluginConformance:
    """Tests of an installed plugin.

    Subclass it in a test module, and name the plugin::

        class TestEcho(PluginConformance):
            plugin = "echo"

    Each test says what is wrong and what to do. Those that run the plugin do so on asyncio and on
    trio, without a network but for the one in a real node, which listens on 127.0.0.1.

    Attributes:
        plugin: its name, which is the name of its entry point.
        settings: settings to run it with, by section; for what must not happen in a test.
        commands: commands to call; without any, those are called whose fields can be guessed.
    """

    plugin: ClassVar[str]
    settings: ClassVar[Mapping[str, object]] = {}
    commands: ClassVar[Sequence[Command[Any]]] = ()
    _subject: ClassVar[Subject]

    def __init_subclass__(cls) -> None:
        """One subject for all tests of a class: looking for entry points takes a while."""
        super().__init_subclass__()
        if hasattr(cls, "plugin"):
            cls._subject = Subject(cls.plugin, cls.settings)

    def test_entry_point_and_metadata_agree(self) -> None:
        """One entry point, named as the plugin; a range of peerloom's versions."""
        _paperwork.check_metadata(self._subject)

    def test_is_light_to_import(self) -> None:
        """Who lists plugins does not wait for libp2p."""
        _paperwork.check_import_is_light(self._subject)

    def test_hooks_are_known_and_well_formed(self) -> None:
        """A node accepts the plugin."""
        _paperwork.check_hooks(self._subject)

    def test_commands_and_events_are_frozen(self) -> None:
        """Nobody changes what others hold."""
        _paperwork.check_frozen(self._subject.messages)

    def test_commands_and_events_are_typed(self) -> None:
        """Type checkers know fields and answers."""
        _paperwork.check_typed(self._subject.messages)

    def test_commands_and_events_are_documented(self) -> None:
        """Docstrings explain each with all its fields."""
        _paperwork.check_documented(self._subject.messages)

    def test_configuration_round_trips(self) -> None:
        """A file with every setting gives the same settings."""
        _paperwork.check_configuration(self._subject)

    def test_settings_are_documented(self) -> None:
        """Docstrings explain every setting."""
        _paperwork.check_settings_documented(self._subject)

    def test_readme_names_every_command_event_and_setting(self) -> None:
        """The README tells what there is."""
        _paperwork.check_readme(self._subject)

    async def test_what_it_serves_is_well_formed(self, anyio_backend: object) -> None:  # noqa: ARG002 - has anyio run it
        """Protocol ids, exported commands, a status that can be shown."""
        await _life.check_served(self._subject)

    async def test_starts_and_stops_without_leaking(self, anyio_backend: object) -> None:  # noqa: ARG002
        """No task, socket, file, thread or context stays."""
        await _life.check_starts_and_stops(self._subject)

    async def test_restarts_without_leaking(self, anyio_backend: object) -> None:  # noqa: ARG002
        """After a failure it is what it was."""
        await _life.check_restarts(self._subject)

    async def test_serves_two_nodes_at_once(self, anyio_backend: object) -> None:  # noqa: ARG002
        """Nodes of one process share the plugin object and nothing else."""
        await _life.check_serves_two_nodes(self._subject, self.commands)

    async def test_survives_a_failing_swarm(self, anyio_backend: object) -> None:  # noqa: ARG002
        """Every dial and stream may fail."""
        await _life.check_survives_failing_swarm(self._subject, self.commands)

    async def test_survives_what_peers_send(self, anyio_backend: object) -> None:  # noqa: ARG002
        """Every stream may be cut off or hold nonsense."""
        await _life.check_survives_peers(self._subject)

    async def test_runs_in_a_node_beside_core(self, anyio_backend: object) -> None:  # noqa: ARG002
        """It conflicts with nothing of core."""
        await _life.check_in_a_node(self._subject)
