"""Memory: ``/memory/<number>``, links between nodes of one process, for tests and simulation."""

from __future__ import annotations

from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import anyio
from anyio.abc import ByteStream
from multiaddr import Multiaddr

from peerloom._addresses import components, split_peer
from peerloom._errors import ListenFailed
from peerloom._links import DialOptions, Listener, RawLink, Transport

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

PIPE_BYTES: Final = 256 * 1024  # like a socket's buffer: a slow reader holds its sender
ACCEPT_BACKLOG: Final = 256


class MemoryNetwork:
    """What the memory transports of several nodes have in common: who listens where."""

    def __init__(self) -> None:
        self.listeners: dict[int, MemoryListener] = {}
        self._next_number = 1

    def free_number(self) -> int:
        """A number for ``/memory/<number>`` that nobody has had."""
        while self._next_number in self.listeners:
            self._next_number += 1
        self._next_number += 1
        return self._next_number - 1


class MemoryTransport(Transport):
    """Dials and listens within a `MemoryNetwork`; ``/memory/0`` listens on a free number."""

    def __init__(self, network: MemoryNetwork) -> None:
        self._network = network

    def handles(self, address: Multiaddr) -> bool:
        """Whether the address is ``/memory/<number>``."""
        return _number(address) is not None

    async def dial(self, address: Multiaddr, options: DialOptions) -> RawLink:  # noqa: ARG002
        """Connect; raises ConnectionRefusedError when nobody listens there."""
        number = _number(address)
        assert number is not None
        await anyio.lowlevel.checkpoint()
        listener = self._network.listeners.get(number)
        if listener is None or not listener.has_room:
            raise ConnectionRefusedError(f"nobody listens on {address}")
        ours, theirs = memory_pipe()
        own = Multiaddr(f"/memory/{self._network.free_number()}")
        listener.push(RawLink(theirs, listener.addresses[0], own))
        return RawLink(ours, own, Multiaddr(f"/memory/{number}"))

    @asynccontextmanager
    async def listen(self, address: Multiaddr) -> AsyncGenerator[MemoryListener, None]:
        """Listen while the context lasts; raises `ListenFailed` if the number is taken."""
        number = _number(address) or self._network.free_number()
        if number in self._network.listeners:
            raise ListenFailed(address, "another node of this network listens there")
        listener = MemoryListener(number)
        self._network.listeners[number] = listener
        try:
            yield listener
        finally:
            del self._network.listeners[number]
            listener.close()


class MemoryListener(Listener):
    """Accepts the links that others dial within the network."""

    def __init__(self, number: int) -> None:
        self._addresses = (Multiaddr(f"/memory/{number}"),)
        self._links: deque[RawLink] = deque()
        self._changed = anyio.Event()
        self._closed = False

    @property
    def addresses(self) -> Sequence[Multiaddr]:
        """The one address."""
        return self._addresses

    @property
    def has_room(self) -> bool:
        """Whether the backlog takes one more link."""
        return len(self._links) < ACCEPT_BACKLOG

    def push(self, link: RawLink) -> None:
        """Hand over the listening end of a new link."""
        self._links.append(link)
        self._changed.set()

    def close(self) -> None:
        """Accept no more."""
        self._closed = True
        self._changed.set()

    async def accept(self) -> RawLink:
        """The next link."""
        while not self._links:
            if self._closed:
                raise anyio.ClosedResourceError
            self._changed = anyio.Event()
            await self._changed.wait()
        return self._links.popleft()


class _Direction:
    """Bytes under way from one end to the other."""

    def __init__(self) -> None:
        self.chunks: deque[bytes] = deque()
        self.size = 0
        self.ended = False
        self.broken = False
        self.changed = anyio.Event()

    def notify(self) -> None:
        self.changed.set()
        self.changed = anyio.Event()


class MemoryPipeEnd(ByteStream):
    """One end of a pipe that holds 256 KiB in each direction."""

    def __init__(self, incoming: _Direction, outgoing: _Direction) -> None:
        self._in = incoming
        self._out = outgoing
        self._closed = False

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Up to `max_bytes` bytes; EndOfStream, BrokenResourceError as sockets do."""
        await anyio.lowlevel.checkpoint()
        while not self._in.chunks:
            if self._closed:
                raise anyio.ClosedResourceError
            if self._in.broken:
                raise anyio.BrokenResourceError
            if self._in.ended:
                raise anyio.EndOfStream
            await self._in.changed.wait()
        chunk = self._in.chunks.popleft()
        if len(chunk) > max_bytes:
            self._in.chunks.appendleft(chunk[max_bytes:])
            chunk = chunk[:max_bytes]
        self._in.size -= len(chunk)
        self._in.notify()
        return chunk

    async def send(self, item: bytes) -> None:
        """Send all of it, waiting while the pipe is full."""
        await anyio.lowlevel.checkpoint()
        data = bytes(item)
        while data:
            while self._out.size >= PIPE_BYTES and not self._out.broken and not self._closed:
                await self._out.changed.wait()
            if self._closed or self._out.ended:
                raise anyio.ClosedResourceError
            if self._out.broken:
                raise anyio.BrokenResourceError
            room = PIPE_BYTES - self._out.size
            self._out.chunks.append(data[:room])
            self._out.size += len(data[:room])
            data = data[room:]
            self._out.notify()

    async def send_eof(self) -> None:
        """End this direction."""
        await anyio.lowlevel.checkpoint()
        self._out.ended = True
        self._out.notify()

    async def aclose(self) -> None:
        """Close both directions; what was sent can still be read."""
        self._closed = True
        self._out.ended = True
        self._in.broken = True
        self._out.notify()
        self._in.notify()
        await anyio.lowlevel.checkpoint()


def memory_pipe() -> tuple[MemoryPipeEnd, MemoryPipeEnd]:
    """Two joined ends."""
    there, back = _Direction(), _Direction()
    return MemoryPipeEnd(back, there), MemoryPipeEnd(there, back)


def _number(address: Multiaddr) -> int | None:
    parts = components(split_peer(address)[0])
    if len(parts) == 1 and parts[0][0] == "memory":
        return int(parts[0][1])
    return None
