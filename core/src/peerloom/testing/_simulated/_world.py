"""World: what the nodes of one simulated network have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._log import EventLog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anyio.abc import TaskGroup

    from peerloom._events import Event

    from ._chance import Chance
    from ._internet import Internet


class World:
    """Chance, ways, and what is told of both.

    Attributes:
        chance: all generators.
        internet: where everything is; it holds the time as well.
        log: what has happened.
        plain: whether the plain channel stands in place of TLS and Noise.
        recorded: the events that the log writes.
        tasks: where nodes run; set while the network does.
    """

    tasks: TaskGroup

    def __init__(
        self, chance: Chance, internet: Internet, recorded: Sequence[type[Event]], *, plain: bool
    ) -> None:
        self.chance = chance
        self.internet = internet
        self.log: EventLog = EventLog()
        self.recorded: tuple[type[Event], ...] = tuple(recorded)
        self.plain = plain

    @property
    def now(self) -> float:
        """Virtual seconds since the start."""
        return self.internet.wire.time

    def write(self, name: str, text: str) -> None:
        """Write a line into the log."""
        self.log.write(self.now, name, text)

    def record(self, name: str, event: Event) -> None:
        """Write an event of a node into the log, if such events are recorded."""
        if isinstance(event, self.recorded):
            self.log.event(self.now, name, event)
