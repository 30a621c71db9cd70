"""PluginHooks: a plugin's own implementations of the hooks, with types for the callers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, TypeVar

from ._behaviour import Behaviour
from ._config import ConfigSection
from ._dispatch import CommandHandler, EventHandler, never_runs_at_once
from ._errors import PluginError
from ._isolation import of_plain_code

if TYPE_CHECKING:
    from multiaddr import Multiaddr
    from pluggy import HookImpl

    from ._behaviour import GateStage
    from ._context import PluginContext
    from ._links import Transport
    from ._peer_id import PeerId

T = TypeVar("T")


class PluginHooks:
    """What one plugin implements; hooks that it leaves out give nothing.

    Each raises whatever the plugin raises, and `PluginError` when a result has the wrong type.
    """

    def __init__(self, implementations: Mapping[str, HookImpl]) -> None:
        self._implementations = implementations

    def __contains__(self, hook: str) -> bool:
        return hook in self._implementations

    def config_sections(self) -> tuple[ConfigSection, ...]:
        """Its settings."""
        return self._records("peerloom_config_sections", ConfigSection)

    def setup(self, ctx: PluginContext) -> None:
        """Let it build its state."""
        self._call("peerloom_setup", ctx=ctx)

    def behaviours(self, ctx: PluginContext) -> tuple[Behaviour, ...]:
        """Its behaviours."""
        behaviours = self._records("peerloom_behaviours", Behaviour, ctx=ctx)
        for one in behaviours:
            _check_plain(one, "addresses_of", "keep_alive")
        return behaviours

    def transports(self, ctx: PluginContext) -> tuple[Transport, ...]:
        """Its transports."""
        transports = self._several("peerloom_transports", ctx=ctx)
        for one in transports:
            _check_is_transport(one)
        return transports

    def event_handlers(self, ctx: PluginContext) -> tuple[EventHandler, ...]:
        """What it hears."""
        return self._records("peerloom_event_handlers", EventHandler, ctx=ctx)

    def command_handlers(self, ctx: PluginContext) -> tuple[CommandHandler, ...]:
        """What it answers."""
        return self._records("peerloom_command_handlers", CommandHandler, ctx=ctx)

    def lifespan(self, ctx: PluginContext) -> AbstractAsyncContextManager[None] | None:
        """What is open while it runs."""
        result = self._call("peerloom_lifespan", ctx=ctx)
        if result is not None and not isinstance(result, AbstractAsyncContextManager):
            raise PluginError(
                f"peerloom_lifespan gave {_kind(result)}, not an async context manager"
            )
        return result

    def gate(self, stage: GateStage, peer: PeerId | None, address: Multiaddr) -> str | None:
        """Why it refuses a connection, or None."""
        reason = self._call("peerloom_gate", stage=stage, peer=peer, address=address)
        if reason is not None and not isinstance(reason, str):
            raise PluginError(f"peerloom_gate gave {_kind(reason)}, not a reason or None")
        return reason

    def status(self, ctx: PluginContext) -> Mapping[str, Any]:
        """What it says of itself."""
        result = self._call("peerloom_status", ctx=ctx)
        if not isinstance(result, Mapping | None):
            raise PluginError(f"peerloom_status gave {_kind(result)}, not a mapping")
        return result or {}

    def cli(self, app: Any) -> None:
        """Let it add commands to a typer app."""
        self._call("peerloom_cli", app=app)

    def _call(self, hook: str, **arguments: Any) -> Any:
        implementation = self._implementations.get(hook)
        if implementation is None:
            return None
        try:
            return implementation.function(*(arguments[name] for name in implementation.argnames))
        except BaseException as error:  # noqa: BLE001 - raised again
            raise of_plain_code(error) from error.__cause__

    def _several(self, hook: str, **arguments: Any) -> tuple[Any, ...]:
        result = self._call(hook, **arguments)
        if not isinstance(result, Iterable | None) or isinstance(result, str | Mapping):
            raise PluginError(f"{hook} gave {_kind(result)}, not a list")
        return tuple(result or ())

    def _records(self, hook: str, kind: type[T], **arguments: Any) -> tuple[T, ...]:
        records = self._several(hook, **arguments)
        for record in records:
            if not isinstance(record, kind):
                raise PluginError(f"{hook} gave a list with {_kind(record)}, not {kind.__name__}")
        return records


def _check_is_transport(one: object) -> None:
    lacking = [name for name in ("handles", "dial", "listen") if not hasattr(one, name)]
    if lacking:
        raise PluginError(
            f"peerloom_transports gave a list with {_kind(one)}, which has no {', '.join(lacking)}"
        )
    _check_plain(one, "handles")


def _check_plain(one: object, *methods: str) -> None:
    for method in methods:
        if never_runs_at_once(getattr(one, method)):
            raise PluginError(f"{type(one).__name__}.{method} is async: make it plain")


def _kind(value: object) -> str:
    return f"an object of type {type(value).__name__}"
