"""A dialler on aioquic that puts whatever it likes into its packets."""

from __future__ import annotations

import socket
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
from aioquic import tls
from aioquic.quic.connection import QuicConnectionState
from aioquic.quic.packet import QuicPacketType
from aioquic.quic.packet_builder import QuicPacketBuilderStop

from peerloom._addresses import quic_endpoint
from peerloom._transports import QuicSettings
from peerloom._transports._quic_aioquic import AioquicEngine, AioquicEngines
from peerloom._transports._quic_credentials import Credentials
from tests.core.security_kit import ALICE, RUNTIME

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from multiaddr import Multiaddr

ROOM = 1100  # bytes of frames in a datagram


class QuicFoe:
    """One connection to a node, over a socket of its own.

    `parameters` changes the encoded transport parameters that it shows.

    Attributes:
        connection: aioquic's.
    """

    def __init__(
        self,
        sock: socket.socket,
        target: tuple[Any, ...],
        parameters: Callable[[bytes], bytes] = lambda encoded: encoded,
    ) -> None:
        self._sock = sock
        self._frames: deque[tuple[int, bytes]] = deque()
        engines = AioquicEngines(Credentials.of(ALICE, RUNTIME), QuicSettings())
        engine = AioquicEngine(
            QuicSettings(), engines._credentials, None, configuration=engines._dialing
        )
        connection: Any = engine._connection
        self.connection = connection
        encode, write = connection._serialize_transport_parameters, connection._write_application

        def write_more(builder: Any, *more: Any) -> None:
            self._write(builder)
            write(builder, *more)

        connection._serialize_transport_parameters = lambda: parameters(encode())
        connection._write_application = write_more
        engine.connect(target, RUNTIME.now())

    @property
    def closed(self) -> bool:
        """Whether the node has ended it."""
        return self.connection._close_event is not None or self.connection._state in {
            QuicConnectionState.CLOSING,
            QuicConnectionState.DRAINING,
            QuicConnectionState.TERMINATED,
        }

    @property
    def established(self) -> bool:
        return bool(self.connection._handshake_complete)

    async def until(self, condition: Callable[[], bool], seconds: float = 10) -> bool:
        """Move datagrams until the condition holds; gives whether it does."""
        with anyio.move_on_after(seconds):
            while not condition():
                self.flush()
                with anyio.move_on_after(0.02):
                    await anyio.wait_readable(self._sock)
                self.read()
        self.flush()
        return condition()

    def flush(self) -> None:
        now = RUNTIME.now()
        timer = self.connection.get_timer()
        if timer is not None and timer <= now:
            self.connection.handle_timer(now)
        for data, target in self.connection.datagrams_to_send(now):
            self._sock.sendto(data, target)

    def read(self) -> None:
        while True:
            try:
                data, remote = self._sock.recvfrom(2048)
            except (BlockingIOError, ConnectionRefusedError):
                return
            self.connection.receive_datagram(data, remote, RUNTIME.now())

    async def send_frames(self, frames: Iterable[tuple[int, bytes]]) -> int:
        """Send frames (type, content), until the node ends the connection; gives their number."""
        count = 0
        for each in frames:
            if self.closed:
                break
            self._frames.append(each)
            count += 1
            if sum(len(content) + 2 for _, content in self._frames) > ROOM:
                await self._send_those()
        await self._send_those()
        return count

    async def _send_those(self) -> None:
        while self._frames and not self.closed:
            self.connection._loss._cc.congestion_window = 1 << 30  # who floods heeds no limit
            self.flush()
            self.read()
            await anyio.lowlevel.checkpoint()

    def _write(self, builder: Any) -> None:
        if not self._frames or not self.established:
            return
        builder.start_packet(QuicPacketType.ONE_RTT, self.connection._cryptos[tls.Epoch.ONE_RTT])
        try:
            while self._frames:
                kind, content = self._frames[0]
                builder.start_frame(kind, capacity=len(content) + 8).push_bytes(content)
                self._frames.popleft()
        except QuicPacketBuilderStop:
            return


@contextmanager
def quic_foe(address: Multiaddr, **options: Any) -> Generator[QuicFoe]:
    """A connection to the node, its handshake yet to be made."""
    found = quic_endpoint(address.decapsulate_code(421))
    assert found is not None
    with socket.socket(found[0], socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)  # noqa: FBT003
        sock.bind(("127.0.0.1", 0))
        yield QuicFoe(sock, found[1:], **options)
