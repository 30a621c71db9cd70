"""The typed tables: which handlers hear an event, which one answers a command; and Reply."""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from attrs import frozen

from ._errors import CommandError, PluginError
from ._wakeup import wakeup_kind

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from ._calls import Call
    from ._commands import Command
    from ._events import Event
    from ._wakeup import Wakeup

R = TypeVar("R")


@frozen
class EventHandler:
    """A plain function that hears events; made by `Event.heard_by`.

    Attributes:
        event_class: the events it hears, subclasses included.
        function: is called with each; returns at once and awaits nothing.
    """

    event_class: type[Event]
    function: Callable[[Any], None]


@frozen
class CommandHandler:
    """A function that answers commands; made by `Command.handled_by`.

    Attributes:
        command_class: the commands it answers, subclasses not included.
        function: is called with each in the loop's turn; what it returns or raises is the answer,
            or what comes of it where that is to be awaited.
    """

    command_class: type[Command[Any]]
    function: Callable[[Any], Any]


@frozen
class Owner:
    """Whose handlers these are.

    Attributes:
        name: the plugin's name.
        label: its name with distribution and version, for texts that people read.
        rank: its place in the start order.
    """

    name: str
    label: str
    rank: int


class Handler:
    """What the loop calls with an item, and whom it tells when that raises.

    Attributes:
        plugin: name of the plugin that it belongs to.
        where: what it is, for people.
        call: takes the item.
        failed: takes `where` and what was raised.
    """

    __slots__ = ("call", "failed", "plugin", "where")

    def __init__(
        self,
        plugin: str,
        where: str,
        call: Callable[[Any], object],
        failed: Callable[[str, BaseException], None],
    ) -> None:
        self.plugin: str = plugin
        self.where: str = where
        self.call: Callable[[Any], object] = call
        self.failed: Callable[[str, BaseException], None] = failed

    def __repr__(self) -> str:
        return f"<{self.plugin}: {self.where}>"


class EventTable:
    """Event class → the handlers that hear it, in plugin order; looked up once per class."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[int, tuple[tuple[type[Event], Handler], ...]]] = {}
        self._found: dict[type[Event], tuple[Handler, ...]] = {}

    def install(
        self,
        owner: Owner,
        handlers: Sequence[EventHandler],
        failed: Callable[[str, BaseException], None],
    ) -> None:
        """Put an owner's handlers into service, in place of what it had."""
        entries = tuple((one.event_class, _heard(owner, one, failed)) for one in handlers)
        self._entries[owner.name] = (owner.rank, entries)
        self._found.clear()

    def withdraw(self, owner: str) -> None:
        """Take an owner's handlers out of service."""
        self._entries.pop(owner, None)
        self._found.clear()

    def handlers_of(self, event_class: type[Event]) -> tuple[Handler, ...]:
        """Who hears events of this class."""
        found = self._found.get(event_class)
        if found is None:
            found = self._found[event_class] = self._collect(event_class)
        return found

    def _collect(self, event_class: type[Event]) -> tuple[Handler, ...]:
        ancestors = event_class.__mro__
        ranked = sorted(self._entries.values(), key=lambda entry: entry[0])
        return tuple(
            handler for _, entries in ranked for heard, handler in entries if heard in ancestors
        )


class CommandTable:
    """Command class → the one handler that answers it."""

    def __init__(self) -> None:
        self._entries: dict[type[Command[Any]], tuple[Owner, tuple[Handler, ...]]] = {}
        self._former: dict[type[Command[Any]], str] = {}

    def install(
        self,
        owner: Owner,
        handlers: Sequence[CommandHandler],
        answer: Callable[[Callable[[Any], Any], Call[Any]], None],
        failed: Callable[[str, BaseException], None],
    ) -> None:
        """Put an owner's handlers into service, all or none; `answer` runs one for a call.

        Raises `PluginError`, naming both owners, if a command is answered already.
        """
        entries: dict[type[Command[Any]], tuple[Owner, tuple[Handler, ...]]] = {}
        for one in handlers:
            _check_is_free(owner, one, {**entries, **self._entries})
            where = f"command handler {name_of(one.function)}"
            handler = Handler(owner.name, where, partial(answer, one.function), failed)
            entries[one.command_class] = (owner, (handler,))
        self._entries |= entries

    def withdraw(self, owner: str) -> None:
        """Take an owner's handlers out of service; remembers what it answered."""
        for command_class, (of, _) in list(self._entries.items()):
            if of.name == owner:
                del self._entries[command_class]
                self._former[command_class] = owner

    def handlers_of(self, command_class: type[Command[Any]]) -> tuple[Handler, ...]:
        """The one that answers commands of this class, or none."""
        entry = self._entries.get(command_class)
        return entry[1] if entry else ()

    def former_owner(self, command_class: type[Command[Any]]) -> str | None:
        """The plugin that answered such commands while it ran."""
        return self._former.get(command_class)


class Reply(Generic[R]):
    """An answer that is still to come: one side awaits it, a plain handler settles it once.

    Any number of tasks may await it. A context's `reply()` gives one that fails by itself when
    the plugin stops.
    """

    __slots__ = ("_awaken", "_error", "_on_end", "_settled", "_value", "_waiting")

    def __init__(self, on_end: Callable[[Reply[R]], None] | None = None) -> None:
        """Take a function that hears once when nothing more comes of this reply."""
        self._awaken: Wakeup | None = None
        self._value: R | None = None
        self._error: BaseException | None = None
        self._settled = False
        self._waiting = 0
        self._on_end = on_end

    @property
    def settled(self) -> bool:
        """Whether `set` or `fail` has been called."""
        return self._settled

    @property
    def error(self) -> BaseException | None:
        """What `fail` was given."""
        return self._error

    def set(self, value: R) -> bool:
        """Answer; gives False, and changes nothing, if that has happened already."""
        return self._settle(value, None)

    def fail(self, error: BaseException) -> bool:
        """Answer by an error; gives False, and changes nothing, if answered already."""
        return self._settle(None, error)

    async def wait(self) -> R:
        """The answer; raises what `fail` was given."""
        if not self._settled:
            await self._wait_for_settling()
        return self.result()

    def forgo(self) -> None:
        """One that was to await it is not going to; with nobody else, nothing more comes of it."""
        if not self._waiting:
            self._ended()

    def __await__(self) -> Generator[Any, Any, R]:
        return self.wait().__await__()

    def result(self) -> R:
        """The answer of a settled reply; raises what `fail` was given."""
        if not self._settled:
            raise CommandError("the reply is not settled yet: await it")
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]  # R itself may be None

    async def _wait_for_settling(self) -> None:
        if self._awaken is None:
            self._awaken = wakeup_kind()()
        self._waiting += 1
        try:
            await self._awaken.wait()
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._ended()

    def _settle(self, value: R | None, error: BaseException | None) -> bool:
        if self._settled:
            return False
        self._settled, self._value, self._error = True, value, error
        if self._awaken is not None:
            self._awaken.set()
        self._ended()
        return True

    def _ended(self) -> None:
        if self._on_end is not None:
            on_end, self._on_end = self._on_end, None
            on_end(self)


def name_of(function: object) -> str:
    """A function's qualified name without the noise of local scopes, for people."""
    function = getattr(function, "func", function)
    if hasattr(function, "__wrapped__"):  # to look further is slow, and each task has a name
        function = inspect.unwrap(function)  # type: ignore[arg-type]
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    return str(name).rpartition("<locals>.")[2]


def never_runs_at_once(function: object) -> bool:
    """Whether calling it only makes a coroutine or a generator that nobody will run."""
    return inspect.iscoroutinefunction(function) or is_generator(function)


def is_generator(function: object) -> bool:
    """Whether calling it only makes a generator."""
    return inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function)


def is_async(function: Any) -> bool:
    """Whether what it is when called can be awaited."""
    ways_to_call = (function, type(function).__call__, inspect.unwrap(function))
    return any(inspect.iscoroutinefunction(one) for one in ways_to_call)


def _heard(
    owner: Owner, handler: EventHandler, failed: Callable[[str, BaseException], None]
) -> Handler:
    where = f"event handler {name_of(handler.function)} for {handler.event_class.__name__}"
    return Handler(owner.name, where, handler.function, failed)


def _check_is_free(
    owner: Owner,
    handler: CommandHandler,
    taken: Mapping[type[Command[Any]], tuple[Owner, tuple[Handler, ...]]],
) -> None:
    other = taken.get(handler.command_class)
    if other is not None:
        raise PluginError(
            f"plugin {owner.label} answers the command {handler.command_class.__name__}, which "
            f"plugin {other[0].label} answers already: leave one of the two out"
        )
