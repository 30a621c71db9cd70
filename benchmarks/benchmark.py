"""Benchmark: what is measured, and by whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import field, frozen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

OURS = "peerloom"


class WrongData(Exception):
    """A receiver got other bytes than were sent: it has failed."""


@frozen
class Options:
    """How a run is made.

    Attributes:
        quick: as small as it can be: shows that it works, measures nothing.
        only: the contestants that take part, by the start of their names; all if empty.
    """

    quick: bool = False
    only: tuple[str, ...] = ()

    def wants(self, contestant: str) -> bool:
        """Whether this contestant takes part."""
        return not self.only or contestant.startswith(self.only)


@frozen
class Measured:
    """One round's figure, with others beside it.

    Attributes:
        figure: the one that counts, in the benchmark's unit.
        also: others by name; every contestant or none of a kind has them.
    """

    figure: float
    also: Mapping[str, float] = field(factory=dict)


@frozen
class Contestant:
    """One implementation, ready to be measured as often as one likes.

    Attributes:
        name: ``peerloom-…`` for ours (the worst of these counts), else the peer's name; a peer
            ``NAME@peerloom-…`` stands beside that one of ours only, and is reported as ``NAME``.
        measure: takes one round; gives the figure in the benchmark's unit.
        versions: what runs in it: names and versions.
        give_up: after a failure: ends what still runs of it, gives what its processes logged.
    """

    name: str
    measure: Callable[[], Awaitable[float | Measured]]
    versions: Mapping[str, str] = field(factory=dict)
    give_up: Callable[[], str] = str

    @property
    def is_ours(self) -> bool:
        """Whether it is Peerloom."""
        return self.name.startswith(OURS)


def absent(name: str, cause: Exception) -> Contestant:
    """A contestant that could not be started: it fails in its first round, and says why."""

    async def measure() -> float:
        raise cause

    return Contestant(name, measure)


@frozen
class Limit:
    """What a figure of ours must reach, or must not pass where lower is better.

    Attributes:
        figure: the limit itself, or what is added to a peer's figure of the same round.
        beside: that peer, or None.
    """

    figure: float
    beside: str | None = None


@frozen
class Benchmark:
    """One benchmark, as a module of `benchmarks.cases` defines it.

    Attributes:
        name: as on the command line.
        unit: of every figure.
        contest: starts what it needs and gives the contestants, ours among them.
        settings: what a reader must know in order to repeat it.
        rounds: how many are counted, unless the command line says otherwise.
        warm_up_rounds: how many go before these and are not counted.
        lower_is_better: whether the smaller figure wins.
        limits: what must be reached: under "" by the figure that counts, else by one beside it.
        costs: figures beside it of which the smaller wins, although of the one that counts the
            larger does.
    """

    name: str
    unit: str
    contest: Callable[[Options], AbstractAsyncContextManager[Sequence[Contestant]]]
    settings: Callable[[Options], Mapping[str, Any]]
    rounds: int = 5
    warm_up_rounds: int = 1
    lower_is_better: bool = False
    limits: Mapping[str, Limit] = field(factory=dict)
    costs: Collection[str] = ()
