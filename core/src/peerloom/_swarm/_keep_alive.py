"""KeepAlive: which connections are held, by streams, behaviours and protection. Pure."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from multiaddr import Multiaddr

from peerloom._behaviour import Behaviour
from peerloom._isolation import PlainSeam

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from peerloom._endpoint import ConnectionInfo
    from peerloom._peer_id import PeerId


class Held(Protocol):
    """A connection, as far as this module cares."""

    info: ConnectionInfo
    holding: int


C = TypeVar("C", bound=Held)


class KeepAlive:
    """Collects votes; a connection without one for long enough is idle."""

    def __init__(
        self, idle_seconds: float, failed: Callable[[str, str, BaseException], None]
    ) -> None:
        """Take what hears of an owner's behaviour that raised, and where."""
        self._idle_seconds = idle_seconds
        self._failed = failed
        self._behaviours: dict[str, tuple[Behaviour, ...]] = {}
        self._voters: tuple[tuple[PlainSeam, Behaviour], ...] = ()
        self._protected: set[PeerId] = set()
        self._unheld_since: dict[int, float] = {}

    def install(self, owner: str, behaviours: Sequence[Behaviour]) -> None:
        """Replace the behaviours of an owner."""
        self._behaviours[owner] = tuple(behaviours)
        self._find_voters()

    def withdraw(self, owner: str) -> None:
        """Forget the behaviours of an owner."""
        self._behaviours.pop(owner, None)
        self._find_voters()

    def protect(self, peer: PeerId) -> None:
        """Hold connections to this peer."""
        self._protected.add(peer)

    def unprotect(self, peer: PeerId) -> bool:
        """Stop holding them; gives whether the peer was protected."""
        if peer not in self._protected:
            return False
        self._protected.remove(peer)
        return True

    def forget(self, connection_id: int) -> None:
        """A connection has ended."""
        self._unheld_since.pop(connection_id, None)

    def addresses_of(self, peer: PeerId) -> list[Multiaddr]:
        """What the behaviours know of a peer's addresses."""
        found: list[Multiaddr] = []
        for owner, behaviour in self._each():
            with PlainSeam(partial(self._failed, owner, "addresses_of of its behaviour")):
                found += _addresses(behaviour.addresses_of(peer))
        return found

    def idle(self, connections: Iterable[C], now: float) -> list[C]:
        """The connections that nothing has held for the configured time, seen at each call."""
        found = []
        for connection in connections:
            if self._is_held(connection):
                self._unheld_since.pop(connection.info.id, None)
                continue
            since = self._unheld_since.setdefault(connection.info.id, now)
            if now - since >= self._idle_seconds:
                found.append(connection)
        return found

    def _is_held(self, connection: Held) -> bool:
        if connection.holding or connection.info.peer in self._protected:
            return True
        return any(_votes(seam, voter, connection.info) for seam, voter in self._voters)

    def _find_voters(self) -> None:
        """Those that may hold anything at all: most do not, and each is asked a thousand times."""
        self._voters = tuple(
            (PlainSeam(partial(self._failed, owner, "keep_alive of its behaviour")), behaviour)
            for owner, behaviour in self._each()
            if getattr(behaviour.keep_alive, "__func__", None) is not Behaviour.keep_alive
        )

    def _each(self) -> list[tuple[str, Behaviour]]:
        """A copy: one that raises is withdrawn meanwhile."""
        return [
            (owner, behaviour)
            for owner, behaviours in self._behaviours.items()
            for behaviour in behaviours
        ]


def _votes(seam: PlainSeam, voter: Behaviour, connection: ConnectionInfo) -> bool:
    with seam:
        return voter.keep_alive(connection)
    return False


def _addresses(given: Iterable[object]) -> Iterator[Multiaddr]:
    for address in given:
        if not isinstance(address, Multiaddr):
            raise TypeError(f"{address!r} is no Multiaddr")
        yield address
