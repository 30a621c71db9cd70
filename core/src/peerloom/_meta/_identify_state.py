"""IdentifyState: whom to identify when, what each peer said, and when to push."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import define

from ._deadlines import Deadlines
from ._identify_codec import IdentifyMessage, merge_identify

if TYPE_CHECKING:
    from multiaddr import Multiaddr

    from peerloom._peer_id import PeerId

PUSH_PROTOCOL: Final = "/ipfs/id/push/1.0.0"

RETRY_SECONDS: Final = 30.0  # a peer whose identify failed is asked again before the interval ends
PUSH_DELAY_SECONDS: Final = 0.25  # one push for the changes that come together, as at start
PUSH_BURST: Final = 10  # pushes taken from a connection at once …
PUSHES_PER_SECOND: Final = 1.0  # … and in the long run


@define
class _Known:
    peer: PeerId
    push_credit_at: float
    push_credit: float = float(PUSH_BURST)
    message: IdentifyMessage | None = None
    record_sequence: int = -1
    certified: tuple[Multiaddr, ...] | None = None
    observed: Multiaddr | None = None
    told: object = None


class IdentifyState:
    """One entry per connection; no I/O and no clock."""

    def __init__(self, *, interval_seconds: float) -> None:
        """Identify each connection at once and then every `interval_seconds`."""
        self._interval = interval_seconds
        self._known: dict[int, _Known] = {}
        self._due = Deadlines()
        self._push_at: float | None = None

    def connected(self, connection_id: int, peer: PeerId, now: float) -> None:
        """A new connection, to be identified at once."""
        if connection_id not in self._known:
            self._known[connection_id] = _Known(peer, push_credit_at=now)
            self._due.set(connection_id, now)

    def disconnected(self, connection_id: int) -> None:
        """Forget a connection."""
        self._known.pop(connection_id, None)
        self._due.set(connection_id, None)

    def next_deadline(self) -> float | None:
        """When `take_due` or `take_push` will have something to do, or None."""
        times = (self._due.earliest(), self._push_at)
        return min((at for at in times if at is not None), default=None)

    def take_due(self, now: float) -> list[tuple[int, PeerId]]:
        """The connections to identify now; each waits for `identified` or `failed`."""
        return [(number, self._known[number].peer) for number in self._due.take_due(now)]

    def identified(
        self, connection_id: int, message: IdentifyMessage, now: float
    ) -> IdentifyMessage | None:
        """A peer answered; gives what is known of it now, or None if the connection is gone."""
        known = self._known.get(connection_id)
        if known is None:
            return None
        self._due.set(connection_id, now + self._interval)
        known.message = message
        return message

    def pushed(self, connection_id: int, message: IdentifyMessage) -> IdentifyMessage | None:
        """A peer pushed; gives what is known of it now, or None if the connection is gone."""
        known = self._known.get(connection_id)
        if known is None:
            return None
        known.message = merge_identify(known.message or IdentifyMessage(), message)
        return known.message

    def failed(self, connection_id: int, now: float, *, final: bool) -> None:
        """A peer did not answer; `final` when it does not speak identify at all."""
        if connection_id in self._known:
            wait = self._interval if final else min(RETRY_SECONDS, self._interval)
            self._due.set(connection_id, now + wait)

    def admit_push(self, connection_id: int, now: float) -> bool:
        """Whether a push may be read now; a peer that pushes without end is not heard."""
        known = self._known.get(connection_id)
        if known is None:
            return False
        earned = (now - known.push_credit_at) * PUSHES_PER_SECOND
        known.push_credit = min(float(PUSH_BURST), known.push_credit + earned)
        known.push_credit_at = now
        if known.push_credit < 1.0:
            return False
        known.push_credit -= 1.0
        return True

    def certify(
        self, connection_id: int, sequence: int, addresses: tuple[Multiaddr, ...]
    ) -> tuple[Multiaddr, ...]:
        """Take a verified record; gives the addresses of the newest one of this connection."""
        known = self._known.get(connection_id)
        if known is None:
            return addresses
        if known.certified is None or sequence >= known.record_sequence:
            known.record_sequence, known.certified = sequence, addresses
        return known.certified

    def observe(self, connection_id: int, address: Multiaddr) -> bool:
        """A peer sees this node at an address; gives whether that is news on this connection."""
        known = self._known.get(connection_id)
        if known is None or address == known.observed:
            return False
        known.observed = address
        return True

    def tell(self, connection_id: int, snapshot: object) -> bool:
        """Note what the peer is told of this node; gives whether that is news to it."""
        known = self._known.get(connection_id)
        if known is None or known.told == snapshot:
            return False
        known.told = snapshot
        return True

    def changed(self, now: float) -> None:
        """This node's addresses or protocols changed: push soon."""
        if self._push_at is None:
            self._push_at = now + PUSH_DELAY_SECONDS

    def take_push(self, now: float) -> list[int]:
        """One connection of each peer to push to now; empty when it is not time."""
        if self._push_at is None or now < self._push_at:
            return []
        self._push_at = None
        targets: dict[PeerId, int] = {}
        for connection_id, known in self._known.items():
            if known.message is not None and PUSH_PROTOCOL in known.message.protocols:
                targets.setdefault(known.peer, connection_id)
        return list(targets.values())

    def identified_count(self) -> int:
        """How many connections have been identified."""
        return sum(known.message is not None for known in self._known.values())
