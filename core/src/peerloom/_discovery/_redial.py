"""Whom to dial, and when again: boot nodes, protected and discovered peers. Pure."""

from __future__ import annotations

from enum import IntEnum
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Final

from attrs import define

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from peerloom._peer_id import PeerId

FIRST_DELAY_SECONDS: Final = 1.0
LONGEST_DELAY_SECONDS: Final = 60.0
STABLE_SECONDS: Final = 60.0  # a connection that ends sooner counts as one more failure
PATIENT_SECONDS: Final = (0.0, 5.0, 15.0, 30.0, 60.0)  # after the loss, as the ancestor redials
MAX_DIALS: Final = 32  # at a time, a quarter of the dials that the node may have pending
MAX_WISHES: Final = 2048  # the protected peers, and as many discovered ones


def backoff(failures: int, chance: Callable[[], float]) -> float:
    """Seconds to wait after so many failures: 1 doubling to 60, less up to a quarter by chance.

    `chance` gives numbers from 0 up to 1; it keeps the nodes that lost the same peer at the same
    moment from coming back at once.
    """
    if failures <= 0:
        return 0.0
    delay = min(FIRST_DELAY_SECONDS * 2.0 ** min(failures - 1, 30), LONGEST_DELAY_SECONDS)
    return delay * (1.0 - chance() / 4.0)


class BootRounds:
    """Dials all boot nodes while none is connected, round after round."""

    def __init__(self, peers: Iterable[PeerId], chance: Callable[[], float]) -> None:
        self._peers = frozenset(peers)
        self._chance = chance
        self._connected: set[PeerId] = set()
        self._dialing: set[PeerId] = set()
        self._failures = 0
        self._connected_at = 0.0
        self._due: float | None = None

    @property
    def connected(self) -> int:
        """How many boot nodes are connected."""
        return len(self._connected)

    def start(self, now: float) -> None:
        """The node has started."""
        if self._peers and not self._connected:
            self._due = now

    def next_deadline(self) -> float | None:
        """When `take_due` should be asked next."""
        return self._due

    def take_due(self, now: float) -> tuple[PeerId, ...]:
        """The boot nodes to dial now; `on_dial_ended` must follow for each."""
        if self._due is None or now < self._due:
            return ()
        self._due = None
        self._dialing = set(self._peers)
        return tuple(sorted(self._peers))

    def on_connected(self, peer: PeerId, now: float) -> None:
        """A connection to a peer stands."""
        if peer not in self._peers:
            return
        if not self._connected:
            self._connected_at = now
        self._connected.add(peer)
        self._due = None

    def on_lost(self, peer: PeerId, now: float) -> None:
        """The last connection to a peer has ended."""
        if peer not in self._connected:
            return
        self._connected.remove(peer)
        stable = now - self._connected_at >= STABLE_SECONDS
        self._failures = 0 if stable else self._failures + 1
        self._plan(now)

    def on_dial_ended(self, peer: PeerId, now: float, *, failed: bool) -> None:
        """A dial that `take_due` asked for has ended."""
        if peer in self._dialing:
            self._dialing.remove(peer)
            self._failures += failed and not self._dialing
            self._plan(now)

    def _plan(self, now: float) -> None:
        # A dial may succeed before its connection is heard of, or give one that has ended since:
        # there is always a next round until a connection is heard of.
        if not self._connected and not self._dialing and self._due is None:
            self._due = now + backoff(max(self._failures, 1), self._chance)


class Persistence(IntEnum):
    """How often a peer is dialled again."""

    ONCE = 0
    PATIENT = 1  # at 0, 5, 15, 30 and 60 seconds, and again so when it is lost
    ENDLESS = 2


@define
class _Wish:
    persistence: Persistence
    since: float
    due: float | None
    failures: int = 0
    connected_at: float | None = None


class Wishes:
    """The peers that shall be connected, each with its own patience."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._wishes: dict[PeerId, _Wish] = {}
        self._dialing: set[PeerId] = set()
        self._queue: list[tuple[float, PeerId]] = []  # a heap, with entries that hold no more

    def __len__(self) -> int:
        return len(self._wishes)

    def add(self, peer: PeerId, persistence: Persistence, now: float, *, connected: bool) -> None:
        """Wish for a peer; past the bound only wishes without end are taken."""
        wish = self._wishes.get(peer)
        if wish is None:
            if len(self._wishes) < MAX_WISHES or persistence is Persistence.ENDLESS:
                since = now if connected else None
                self._wishes[peer] = wish = _Wish(persistence, now, None, connected_at=since)
                if not connected:
                    self._put_off(peer, wish, now)
            return
        wish.persistence = max(wish.persistence, persistence)

    def drop(self, peer: PeerId) -> None:
        """Wish for a peer no longer."""
        self._wishes.pop(peer, None)

    def next_deadline(self) -> float | None:
        """When `take_due` should be asked next."""
        if len(self._dialing) >= MAX_DIALS:
            return None
        first = self._first()
        return first[0] if first else None

    def take_due(self, now: float) -> tuple[PeerId, ...]:
        """The peers to dial now; `on_dial_ended` must follow for each."""
        taken: list[PeerId] = []
        while len(self._dialing) < MAX_DIALS and (first := self._first()) and first[0] <= now:
            _, peer = heappop(self._queue)
            self._wishes[peer].due = None
            self._dialing.add(peer)
            taken.append(peer)
        return tuple(taken)

    def on_connected(self, peer: PeerId, now: float) -> None:
        """A connection to a peer stands."""
        wish = self._wishes.get(peer)
        if wish is None:
            return
        if wish.persistence is Persistence.ONCE:
            del self._wishes[peer]
            return
        wish.due = None
        if wish.connected_at is None:
            wish.connected_at = now

    def on_lost(self, peer: PeerId, now: float) -> None:
        """The last connection to a peer has ended."""
        wish = self._wishes.get(peer)
        if wish is None:
            return
        stood = 0.0 if wish.connected_at is None else now - wish.connected_at
        wish.connected_at = None
        wish.since = now
        wish.failures = 0 if stood >= STABLE_SECONDS else wish.failures + 1
        self._plan(peer, wish, now)

    def on_given_up(self, peer: PeerId, now: float) -> None:
        """This node itself ended the last connection; only wishes without end outlive that."""
        wish = self._wishes.get(peer)
        if wish is not None and wish.persistence is not Persistence.ENDLESS:
            self.drop(peer)
        else:
            self.on_lost(peer, now)

    def on_dial_ended(self, peer: PeerId, now: float, *, failed: bool) -> None:
        """A dial that `take_due` asked for has ended."""
        self._dialing.discard(peer)
        wish = self._wishes.get(peer)
        if wish is None or wish.connected_at is not None:
            return
        if wish.due is not None:  # wished for anew meanwhile
            self._put_off(peer, wish, wish.due)
        elif failed:
            wish.failures += 1
            self._plan(peer, wish, now)
        else:  # until its connection is heard of
            self._put_off(peer, wish, now + LONGEST_DELAY_SECONDS)

    def _put_off(self, peer: PeerId, wish: _Wish, due: float) -> None:
        wish.due = due
        heappush(self._queue, (due, peer))
        if len(self._queue) > 2 * len(self._wishes) + MAX_DIALS:
            self._queue = [entry for entry in set(self._queue) if self._holds(*entry)]
            heapify(self._queue)

    def _first(self) -> tuple[float, PeerId] | None:
        while self._queue:
            if self._holds(*self._queue[0]):
                return self._queue[0]
            heappop(self._queue)
        return None

    def _holds(self, due: float, peer: PeerId) -> bool:
        wish = self._wishes.get(peer)
        return wish is not None and wish.due == due and peer not in self._dialing

    def _plan(self, peer: PeerId, wish: _Wish, now: float) -> None:
        if wish.persistence is Persistence.ENDLESS:
            self._put_off(peer, wish, now + backoff(wish.failures, self._chance))
        elif wish.persistence is Persistence.PATIENT and wish.failures < len(PATIENT_SECONDS):
            self._put_off(peer, wish, max(now, wish.since + PATIENT_SECONDS[wish.failures]))
        else:
            del self._wishes[peer]
