"""The two ends of a link between simulated hosts, which behaves as a TCP connection does."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

import anyio
from anyio.lowlevel import checkpoint

from peerloom._links import EagerPipe

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._internet import Internet, Landing, Packet, Path
    from ._nat_table import Endpoint, NatMapping
    from ._places import Host

# What may be under way or unread: as much as Linux lets a TCP receive buffer grow to (tcp_rmem).
WINDOW_BYTES: Final = 6 * 1024 * 1024
SEND_BUFFER_BYTES: Final = 256 * 1024  # what a host takes over and has not sent yet
SEGMENT_BYTES: Final = 16 * 1024  # where a bandwidth makes a piece take its time

_Arrive = tuple["Callable[[Any], object]", object]


class PipeEnd(EagerPipe):
    """One end of a link.

    Attributes:
        host: whose end it is.
        other: the other end.
    """

    other: PipeEnd

    def __init__(
        self,
        internet: Internet,
        path: Path,
        host: Host,
        key: tuple[int, Endpoint],
        mappings: tuple[NatMapping, ...],
    ) -> None:
        self.host = host
        self._internet = internet
        self._path = path
        self._key = key
        self._mappings = mappings
        self._chunks: deque[bytes] = deque()
        self._held: list[_Arrive] = []
        self._unread = 0  # what the other end has sent and nobody here has read, under way or not
        self._latest = 0.0  # when the last of what this end has sent arrives
        self._waited = False
        self._ended = False
        self._broken = False
        self._closed = False
        self._finished = False
        self._readable = internet.wakeup()
        self._writable = internet.wakeup()
        host.links[key] = self
        for mapping in mappings:
            mapping.links += 1

    # -- what its owner does

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Up to `max_bytes` bytes; EndOfStream, BrokenResourceError as sockets do."""
        if not self._waited:
            await checkpoint()
        self._waited = False
        while not self._chunks:
            self._raise_if_unreadable()
            self._waited = True
            await self._readable.wait()
        data = self._chunks.popleft() if len(self._chunks) == 1 else self._joined()
        if len(data) > max_bytes:
            self._chunks.appendleft(data[max_bytes:])
            data = data[:max_bytes]
        self._unread -= len(data)
        self.other._writable.set()
        return data

    async def send(self, item: bytes | bytearray | memoryview) -> None:
        """Send all of it, waiting while too much is under way; no checkpoint otherwise."""
        left = memoryview(item)
        while left:
            self._raise_if_unwritable()
            taken = self.send_now(left)
            left = left[taken:]
            if not taken:
                await self._until_room()
        self._raise_if_unwritable()

    def send_now(self, data: bytes | bytearray | memoryview) -> int:
        """Take what there is room for."""
        if self._broken or self._closed or self._finished:
            return 0
        room = WINDOW_BYTES - self.other._unread
        if self.host.bandwidth is not None:
            room = min(room, self._unsent_room(), SEGMENT_BYTES)
        taken = bytes(data if len(data) <= room else data[:room])
        if taken:
            other = self.other
            other._unread += len(taken)
            self._post(other._take, taken, len(taken))
        return len(taken)

    async def send_eof(self) -> None:
        """End this direction."""
        await checkpoint()
        if self._broken:
            raise anyio.BrokenResourceError
        self._finish()

    async def aclose(self) -> None:
        """Close both directions; what was sent can still be read, unless something here was not."""
        if not self._closed:
            self._closed = True
            if self._chunks:
                self._post(self.other._reset, None)  # as TCP: RFC 2525, section 2.17
            elif not self._broken:
                self._finish()
            self._leave()
        await checkpoint()

    # -- what happens to it

    def cut(self, *, reset: bool) -> None:
        """Break, telling the other side by a reset or not at all."""
        if reset:
            self._post(self.other._reset, None)
        self._break()

    def release(self) -> None:
        """Let what a partition holds come in, one way later: it is sent once more."""
        self._internet.wire.after(self._path.latency, self._let_in, None)

    def _let_in(self, _: None) -> None:
        held, self._held = self._held, []
        for arriving in held:
            self._arrive(arriving)

    def _post(self, arrive: Callable[[Any], object], what: object, size: int = 0) -> None:
        """Send something, behind all that was sent before."""
        internet, other = self._internet, self.other
        time = internet.arrival(self.host, other.host, self._path, size)
        self._latest = max(time, self._latest)
        internet.wire.at(self._latest, other._arrive, (arrive, what))

    def _arrive(self, arriving: _Arrive) -> None:
        """Take something, or hold it while a partition stands: it is sent again until then."""
        if self._held or self.host.group != self.other.host.group:
            self._held.append(arriving)
            self._internet.held[self] = None
        else:
            arriving[0](arriving[1])

    def _take(self, data: bytes) -> None:
        if self._closed or self._broken:
            if self.host.up:  # its system knows no such connection
                self._post(self.other._reset, None)
            return
        self._chunks.append(data)
        self._readable.set()

    def _end(self, _: None) -> None:
        self._ended = True
        self._readable.set()

    def _reset(self, _: None) -> None:
        self._break()

    def _break(self) -> None:
        self._broken = True
        self._chunks.clear()
        self._leave()

    def _leave(self) -> None:
        if self.host.links.get(self._key) is self:
            del self.host.links[self._key]
            for mapping in self._mappings:
                mapping.links -= 1
        self._readable.set()
        self._writable.set()

    def _finish(self) -> None:
        if not self._finished:
            self._finished = True
            self._post(self.other._end, None)

    # -- waiting

    def _joined(self) -> bytes:
        data = b"".join(self._chunks)
        self._chunks.clear()
        return data

    def _unsent_room(self) -> int:
        unsent = int(self.host.unsent_bytes(self._internet.wire.now()))
        return max(0, SEND_BUFFER_BYTES - unsent)

    async def _until_room(self) -> None:
        if self.other._unread >= WINDOW_BYTES:
            await self._writable.wait()
        else:
            assert self.host.bandwidth is not None
            await anyio.sleep(SEGMENT_BYTES / self.host.bandwidth)

    def _raise_if_unreadable(self) -> None:
        if self._closed:
            raise anyio.ClosedResourceError
        if self._broken:
            raise anyio.BrokenResourceError
        if self._ended:
            raise anyio.EndOfStream

    def _raise_if_unwritable(self) -> None:
        if self._closed or self._finished:
            raise anyio.ClosedResourceError
        if self._broken:
            raise anyio.BrokenResourceError


def join(
    internet: Internet, packet: Packet, landing: Landing, port: int
) -> tuple[PipeEnd, PipeEnd]:
    """A link: the end of the one who sent that packet from that port, and where it has landed."""
    ours = PipeEnd(internet, packet.path, packet.sender, (port, packet.target), packet.mappings)
    key = (landing.endpoint[1], landing.source)
    theirs = PipeEnd(internet, packet.path, landing.host, key, landing.mappings)
    ours.other, theirs.other = theirs, ours
    return ours, theirs


def break_link(end: PipeEnd) -> None:
    """Break it at both ends at once, as when a middlebox resets it."""
    end.cut(reset=False)
    end.other.cut(reset=False)
