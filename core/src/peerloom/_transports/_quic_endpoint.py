"""QuicEndpoint: one UDP socket and all QUIC connections on it, dialled and accepted."""

from __future__ import annotations

from collections import Counter
from errno import ECONNREFUSED
from typing import TYPE_CHECKING, Final

import anyio
from anyio.lowlevel import checkpoint

from peerloom._addresses import quic_address
from peerloom._links import Role
from peerloom._wakeup import wakeup_kind

from ._quic_engine import CONNECTION_ID_BYTES, MOST_DATAGRAMS, QUIC_V1, EngineFailed
from ._quic_link import QuicLink
from ._quic_packets import (
    MIN_INITIAL_BYTES,
    destination_of,
    long_header,
    retry,
    version_negotiation,
)
from ._quic_timers import Timers
from ._quic_tokens import RetryTokens

if TYPE_CHECKING:
    from collections.abc import Callable

    from multiaddr import Multiaddr

    from peerloom._peer_id import PeerId
    from peerloom._runtime import Runtime
    from peerloom._unread import UnreadLedger

    from ._quic_engine import QuicEngine, QuicEngines, SocketAddress
    from ._quic_packets import LongHeader
    from ._quic_settings import QuicSettings
    from ._udp import UdpSocket

# The rest stays in the socket until others have had their turn: a slow engine takes a millisecond
# for one datagram, and 64 buffers may hold a thousand.
READING_SECONDS: Final = 0.01


class QuicEndpoint:
    """Routes datagrams by connection id and keeps all timers; `run` is its one task.

    Attributes:
        counters: what was refused or went wrong, by name.
        on_link: takes links that others began, once their handshake is under way; None when
            nobody listens.
    """

    def __init__(
        self,
        sock: UdpSocket,
        engines: QuicEngines,
        runtime: Runtime,
        settings: QuicSettings,
        ledger: UnreadLedger,
    ) -> None:
        self.counters: Counter[str] = Counter()
        self.on_link: Callable[[QuicLink], bool] | None = None
        self._socket = sock
        if not engines.takes_buffers:
            sock.receive_singly()
        self._engines = engines
        self._runtime = runtime
        self._settings = settings
        self._ledger = ledger
        self._tokens = RetryTokens(runtime)
        self._by_id: dict[bytes, QuicLink] = {}
        self._links: dict[QuicLink, set[bytes]] = {}
        self._half_open: set[QuicLink] = set()
        self._dialing: dict[QuicLink, SocketAddress] = {}
        self._timers = Timers()
        self._blocked: dict[QuicLink, None] = {}
        self._due: dict[QuicLink, None] = {}
        self._due_now = wakeup_kind()()
        self._unblocking: anyio.Event | None = None
        self._sleep: anyio.CancelScope | None = None
        self._leases = 0

    @property
    def address(self) -> tuple[str, int]:
        """The bound host and port."""
        return self._socket.address

    @property
    def closed(self) -> bool:
        """Whether its socket has been closed."""
        return self._socket.closed

    def lease(self) -> None:
        """Keep the socket although there is no connection."""
        self._leases += 1

    def release(self) -> None:
        """The opposite; the socket closes with the last connection."""
        self._leases -= 1
        self._close_if_unused()

    def dial(self, remote: SocketAddress, expected: PeerId | None) -> QuicLink:
        """Begin a connection; the caller waits for its handshake."""
        engine = self._engines.dial(remote, expected, self._runtime.now())
        link = self._add(engine, Role.DIALER, remote)
        self._dialing[link] = remote
        self.transmit(link)
        return link

    # -- its task

    async def run(self) -> None:
        """Serve until the socket is closed."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._unblock)
                tasks.start_soon(self._transmit_due)
                await self._serve()
                tasks.cancel_scope.cancel()
        finally:
            self._socket.close()
            for link in list(self._links):
                link.cut()

    async def _serve(self) -> None:
        while not self._socket.closed:
            with anyio.CancelScope(deadline=self._timers.next_due) as self._sleep:
                try:
                    await self._socket.wait_readable()
                except anyio.ClosedResourceError:
                    return
            self._sleep = None
            self._read()
            self._fire()

    def _read(self) -> None:
        touched: dict[QuicLink, None] = {}
        now = self._runtime.now()
        for data, segment, remote in self._socket.receive():
            link = self._by_id.get(destination_of(data) or b"")
            if link is None:
                for at in range(0, len(data), segment):
                    self._unknown(data[at : at + segment], remote, now)
            elif segment < len(data) and not link.established:
                for at in range(0, len(data), segment):
                    self._deliver(data[at : at + segment], remote, now, touched)
            else:
                link.receive(data, segment, remote, now)
                touched[link] = None
            if self._runtime.now() - now >= READING_SECONDS:
                break
        for link in touched:
            self._advance(link, now)
        if not touched:
            self._take_refusals()

    def _take_refusals(self) -> None:
        """End the dials to where nobody listens; once established, a connection heeds none."""
        for refused in self._socket.refused():
            for link, remote in list(self._dialing.items()):
                if remote[:2] == refused:
                    link.end(ConnectionRefusedError(ECONNREFUSED, "nobody listens there"))

    def _deliver(
        self, data: bytes, remote: SocketAddress, now: float, touched: dict[QuicLink, None]
    ) -> None:
        """One of several datagrams that came as one buffer, perhaps of several connections."""
        link = self._by_id.get(destination_of(data) or b"")
        if link is None:
            self._unknown(data, remote, now)
        else:
            link.receive(data, len(data), remote, now)
            touched[link] = None

    def _fire(self) -> None:
        now = self._runtime.now()
        for link in self._timers.due(now):
            deadline = link.deadline
            if deadline is not None and deadline <= now:
                link.handle_timer(now)
                self._advance(link, now)
            else:
                self._schedule(link)

    def _advance(self, link: QuicLink, now: float) -> None:
        link.advance(now)
        if link.established or link.over:
            self._half_open.discard(link)
            self._dialing.pop(link, None)
        if link.gone(now):
            self._remove(link)
        else:
            self.transmit(link)

    # -- sending

    def transmit(self, link: QuicLink) -> None:
        """Send what the link has to send, and remember its next deadline."""
        self._due.pop(link, None)
        if self._socket.blocked:
            self._blocked[link] = None
        elif not self._socket.closed:
            datagrams = link.datagrams(self._runtime.now())
            if datagrams:
                self._socket.send(datagrams)
                if self._socket.blocked and self._unblocking is not None:
                    self._unblocking.set()
            if len(datagrams) == MOST_DATAGRAMS:
                self.transmit_soon(link)
        self._schedule(link)

    def transmit_soon(self, link: QuicLink) -> None:
        """Send what the link has to send once everybody who is awake has had a turn.

        What several streams say at once is one datagram then, and engines pace datagrams.
        """
        self._due[link] = None
        self._due_now.set()

    async def _transmit_due(self) -> None:
        while True:
            if not self._due:
                await self._due_now.wait()
            await checkpoint()
            self._transmit_all()

    def _transmit_all(self) -> None:
        due, self._due = self._due, {}
        for link in due:
            self.transmit(link)

    async def _unblock(self) -> None:
        """Send what the system had no room for, as soon as it has."""
        while True:
            self._unblocking = anyio.Event()
            if not self._socket.blocked:
                await self._unblocking.wait()
            try:
                await self._socket.wait_writable()
            except anyio.ClosedResourceError:
                return
            self._socket.flush()
            waiting, self._blocked = self._blocked, {}
            for link in waiting:
                self.transmit(link)

    def _schedule(self, link: QuicLink) -> None:
        deadline = link.deadline if link in self._links else None
        if deadline is None or not self._timers.set(link, deadline):
            return
        if self._sleep is not None and deadline < self._sleep.deadline:
            self._sleep.deadline = deadline

    # -- connections

    def _unknown(self, data: bytes, remote: SocketAddress, now: float) -> None:
        header = long_header(data)
        if header is None or self.on_link is None or len(data) < MIN_INITIAL_BYTES:
            self.counters["stray_datagrams"] += 1
        elif header.version != QUIC_V1:
            self.counters["unknown_versions"] += 1
            if header.version:
                self._answer(version_negotiation(header, self._unused()), remote)
        elif header.initial:
            self._accept(header, data, remote, now)
        else:
            self.counters["stray_datagrams"] += 1

    def _accept(self, header: LongHeader, data: bytes, remote: SocketAddress, now: float) -> None:
        original, told = header.destination, None
        proven = self._tokens.check(remote, header.destination, header.token, now)
        if proven is not None:
            original, told = proven, header.destination
        elif len(self._half_open) >= self._settings.retry_half_open:
            self._ask_for_proof(header, remote, now)
            return
        if len(self._half_open) >= self._settings.max_half_open:
            self.counters["half_open_refused"] += 1
            return
        try:
            link = self._begin(original, told, data, remote, now)
        except EngineFailed:
            self.counters["malformed_initials"] += 1
            return
        if link is None:
            self.counters["malformed_initials"] += 1
        elif self.on_link is not None and not self.on_link(link):
            self.counters["accept_queue_full"] += 1
            link.refuse()

    def _begin(
        self,
        original: bytes,
        told: bytes | None,
        data: bytes,
        remote: SocketAddress,
        now: float,
    ) -> QuicLink | None:
        """A link, unless its first datagram was nothing that can be answered."""
        engine = self._engines.accept(original, told)
        engine.receive(data, len(data), remote, now)
        answer = engine.datagrams_to_send(now)
        if not answer:
            return None
        self._socket.send(answer)
        link = self._add(engine, Role.LISTENER, remote)
        self.route(link, told or original, valid=True)
        self._half_open.add(link)
        self._advance(link, now)
        return link

    def _ask_for_proof(self, header: LongHeader, remote: SocketAddress, now: float) -> None:
        self.counters["retries"] += 1
        told = self._runtime.secret_bytes(CONNECTION_ID_BYTES)
        token = self._tokens.make(remote, header.destination, told, now)
        self._answer(retry(header, told, token, self._unused()), remote)

    def _answer(self, data: bytes, remote: SocketAddress) -> None:
        if not self._socket.blocked:
            self._socket.send([(data, remote)])

    def _unused(self) -> int:
        return self._runtime.random.getrandbits(8)

    def _add(self, engine: QuicEngine, role: Role, remote: SocketAddress) -> QuicLink:
        addresses = (self._local_address(remote), quic_address(str(remote[0]), int(remote[1])))
        link = QuicLink(
            engine,
            self,
            role,
            addresses,
            runtime=self._runtime,
            settings=self._settings,
            ledger=self._ledger,
        )
        self._links[link] = set()
        self.route(link, engine.connection_id, valid=True)
        return link

    def route(self, link: QuicLink, connection_id: bytes, *, valid: bool) -> None:
        """Datagrams to that id are the link's from now on, or no longer."""
        ids = self._links.get(link)
        if ids is None:
            return
        if valid and connection_id not in self._by_id:
            ids.add(connection_id)
            self._by_id[connection_id] = link
        elif not valid and connection_id in ids:
            ids.discard(connection_id)
            del self._by_id[connection_id]

    def _remove(self, link: QuicLink) -> None:
        for connection_id in self._links.pop(link, ()):
            del self._by_id[connection_id]
        self._half_open.discard(link)
        self._dialing.pop(link, None)
        self._blocked.pop(link, None)
        self._due.pop(link, None)
        self._timers.forget(link)
        link.forget()
        self._close_if_unused()

    def _close_if_unused(self) -> None:
        if not self._links and not self._leases:
            self._socket.close()

    def _local_address(self, remote: SocketAddress) -> Multiaddr:
        host, port = self._socket.address
        return quic_address(self._socket.host_towards(remote) if _is_any(host) else host, port)


def _is_any(host: str) -> bool:
    return host in {"0.0.0.0", "::"}  # noqa: S104 - a comparison
