"""Judges a plugin's handlers before any of them is put into service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._commands import Command
from ._dispatch import is_generator, name_of, never_runs_at_once
from ._errors import PluginError
from ._events import Event

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ._dispatch import CommandHandler, EventHandler, Owner


def judge_handlers(
    owner: Owner, events: Iterable[EventHandler], commands: Iterable[CommandHandler]
) -> None:
    """Raise `PluginError`, naming the owner, if one cannot do what it is registered for."""
    for hearing in events:
        _judge_event_handler(owner, hearing)
    for answering in commands:
        _judge_command_handler(owner, answering)


def _judge_event_handler(owner: Owner, handler: EventHandler) -> None:
    _judge_class(owner, handler.event_class, Event, "heard_by")
    _judge_callable(owner, handler.event_class, handler.function)
    if never_runs_at_once(handler.function):
        raise PluginError(
            f"plugin {owner.label}: the event handler {name_of(handler.function)} is async or a "
            "generator; make it a plain function that starts its work with ctx.spawn"
        )


def _judge_command_handler(owner: Owner, handler: CommandHandler) -> None:
    _judge_class(owner, handler.command_class, Command, "handled_by")
    _judge_callable(owner, handler.command_class, handler.function)
    if is_generator(handler.function) or isinstance(handler.function, type):
        kind = "class" if isinstance(handler.function, type) else "generator"
        raise PluginError(
            f"plugin {owner.label}: the command handler {name_of(handler.function)} for "
            f"{handler.command_class.__name__} is a {kind}; make it a function that returns the "
            "answer, or an `async def`"
        )


def _judge_class(owner: Owner, given: object, base: type[Any], maker: str) -> None:
    if not (isinstance(given, type) and issubclass(given, base)):
        raise PluginError(
            f"plugin {owner.label}: a {base.__name__}Handler is for {given!r}, which is no "
            f"subclass of {base.__name__}; make handlers by the class method {maker}"
        )


def _judge_callable(owner: Owner, wanted: type[Any], function: object) -> None:
    if not callable(function):
        raise PluginError(
            f"plugin {owner.label}: the handler for {wanted.__name__} is {function!r}, which "
            "cannot be called; give a function"
        )
