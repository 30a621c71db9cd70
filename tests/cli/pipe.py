"""Two byte streams, each the other's far end, with resets and a wire that can be cut."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import anyio
from anyio.abc import ByteStream

from peerloom._errors import StreamReset
from peerloom._peer_id import PeerId

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from anyio.abc import TaskGroup
    from multiaddr import Multiaddr

_WINDOW_BYTES = 256 << 10

_KEY_HEAD = b"\x08\x01\x12\x20" + bytes(31)
ALICE, BOB = (PeerId.from_public_key(_KEY_HEAD + who) for who in (b"A", b"B"))


class Wire:
    """What runs one way: a bounded buffer that ends cleanly or by a reset."""

    def __init__(self, cut_after: int | None = None) -> None:
        self.buffer = bytearray()
        self.ended = self.was_reset = False
        self._cut_after = cut_after
        self._changed = anyio.Event()

    def change(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    async def until(self, condition: Callable[[], bool]) -> None:
        while not (self.was_reset or condition()):
            await self._changed.wait()
        if self.was_reset:
            raise StreamReset("the stream was reset")

    def count(self, size: int) -> None:
        if self._cut_after is not None:
            self._cut_after -= size
            if self._cut_after <= 0:
                self.was_reset = True


class PipeEnd(ByteStream):
    def __init__(self, peer: PeerId, incoming: Wire, outgoing: Wire) -> None:
        self.peer = peer
        self._incoming = incoming
        self._outgoing = outgoing

    async def receive(self, max_bytes: int = 65536) -> bytes:
        wire = self._incoming
        await wire.until(lambda: bool(wire.buffer or wire.ended))
        if not wire.buffer:
            raise anyio.EndOfStream
        data = bytes(wire.buffer[:max_bytes])
        del wire.buffer[:max_bytes]
        wire.change()
        await anyio.lowlevel.checkpoint()
        return data

    async def send(self, item: bytes) -> None:
        wire = self._outgoing
        await wire.until(lambda: len(wire.buffer) < _WINDOW_BYTES)
        wire.buffer += item
        wire.count(len(item))
        wire.change()
        await anyio.lowlevel.checkpoint()

    async def send_eof(self) -> None:
        self._outgoing.ended = True
        self._outgoing.change()

    async def aclose(self) -> None:
        await self.send_eof()

    def reset(self) -> None:
        for wire in (self._incoming, self._outgoing):
            wire.was_reset = True
            wire.change()


def pipe(*, cut_after: int | None = None) -> tuple[PipeEnd, PipeEnd]:
    """Bob's end and Alice's end; what Alice sends may be cut after so many bytes."""
    to_alice, to_bob = Wire(), Wire(cut_after)
    return PipeEnd(ALICE, to_bob, to_alice), PipeEnd(BOB, to_alice, to_bob)


class PipeClient:
    """What `receive_file` needs of a client: each stream is served by a function."""

    def __init__(
        self,
        group: TaskGroup,
        serve: Callable[[Any], Coroutine[Any, Any, None]],
        cuts: Sequence[int | None] = (),
    ) -> None:
        self._group = group
        self._serve = serve
        self._cuts = list(cuts)

    async def dial(self, peer: PeerId, addresses: Sequence[Multiaddr] = ()) -> SimpleNamespace:
        await anyio.lowlevel.checkpoint()
        return SimpleNamespace(peer=peer, addresses=addresses)

    async def open_stream(self, _: PeerId, __: Sequence[str]) -> PipeEnd:
        await anyio.lowlevel.checkpoint()
        near, far = pipe(cut_after=self._cuts.pop(0) if self._cuts else None)
        self._group.start_soon(self._serve, far)
        return near
