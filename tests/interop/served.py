"""What a Python party does with the streams that others open under the test protocols."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from .frames import FRAMES, Frames, encode_frame
from .pattern import pattern, read_header
from .pipe import StreamBroken

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import anyio

    from .pipe import Pipe

MAX_STREAMS: Final = 1_024
STALL: Final = "/test/stall/1"
_MAX_HALF_CLOSE_BYTES: Final = 16 * 1024 * 1024
_HEADER_BYTES: Final = 16


async def echo(pipe: Pipe, _released: anyio.Event) -> None:
    """Send every byte back as it comes."""
    while data := await pipe.read():
        await pipe.write(data)
    await pipe.close_write()


async def _sink(pipe: Pipe, _released: anyio.Event) -> None:
    digest = hashlib.sha256()
    count = 0
    while data := await pipe.read():
        digest.update(data)
        count += len(data)
    await pipe.write(count.to_bytes(8, "big") + digest.digest())
    await pipe.close_write()


async def _source(pipe: Pipe, _released: anyio.Event) -> None:
    await _send_requested(pipe)
    await pipe.close_write()


async def _half_close(pipe: Pipe, _released: anyio.Event) -> None:
    kept = []
    while data := await pipe.read():
        kept.append(data)
        if pipe.received > _MAX_HALF_CLOSE_BYTES:
            raise StreamBroken("more than 16 MiB")
    for data in kept:
        await pipe.write(data)
    await pipe.close_write()


async def _reset(pipe: Pipe, _released: anyio.Event) -> None:
    await _send_requested(pipe)
    raise StreamBroken("reset, as /test/reset/1 does")


async def _stall(pipe: Pipe, released: anyio.Event) -> None:
    await released.wait()
    await _sink(pipe, released)


async def _frames(pipe: Pipe, _released: anyio.Event) -> None:
    reader = Frames(pipe)
    while (frame := await reader.next()) is not None:
        await pipe.write(encode_frame(frame))
    await pipe.close_write()


async def _send_requested(pipe: Pipe) -> None:
    count, seed = read_header(await pipe.read_exactly(_HEADER_BYTES))
    for block in pattern(seed, count):
        await pipe.write(block)


SERVED: Final[dict[str, Callable[[Pipe, anyio.Event], Awaitable[None]]]] = {
    "/test/echo/1": echo,
    "/test/sink/1": _sink,
    "/test/source/1": _source,
    "/test/half-close/1": _half_close,
    "/test/reset/1": _reset,
    FRAMES: _frames,
    STALL: _stall,
}
