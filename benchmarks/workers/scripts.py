"""What workers do on streams; js/worker.mjs has the same in JavaScript."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import anyio

from .payload import Tag, blocks, blocks_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from .host import Duplex

Fields = dict[str, Any]

BULK: Final = "/bench/bulk/1"
ECHO: Final = "/bench/echo/1"
HEADER_BYTES: Final = 8
REPORT_BYTES: Final = 24


async def send_bulk(stream: Duplex, nbytes: int, seed: int) -> Fields:
    """Send a count and that many bytes; the clock runs until the receiver's report is here."""
    return await _send_and_report(stream, blocks_of(seed), nbytes, 0)


async def send_parallel(streams: Sequence[Duplex], nbytes: int, seed: int) -> list[Fields]:
    """The same on all streams at once, each from another block on; the clocks start together."""
    ring = blocks_of(seed)
    reports: dict[int, Fields] = {}

    async def send(number: int, stream: Duplex) -> None:
        reports[number] = await _send_and_report(stream, ring, nbytes, number, begun)

    begun = perf_counter()
    async with anyio.create_task_group() as tasks:
        for number, stream in enumerate(streams):
            tasks.start_soon(send, number, stream)
    return [reports[number] for number in range(len(streams))]


async def _send_and_report(
    stream: Duplex, ring: Sequence[bytes], nbytes: int, first: int, begun: float | None = None
) -> Fields:
    begun = perf_counter() if begun is None else begun
    await stream.send(nbytes.to_bytes(HEADER_BYTES, "big"))
    for block in blocks(ring, nbytes, first):
        await stream.send(block)
    report = await _at_least(stream, REPORT_BYTES)
    return {"seconds": perf_counter() - begun, **read_report(report)}


async def receive_bulk(stream: Duplex) -> None:
    """Take what `send_bulk` sends; report how much came, and its hash."""
    data = await _at_least(stream, HEADER_BYTES)
    wanted = int.from_bytes(data[:HEADER_BYTES], "big")
    data, tag = data[HEADER_BYTES:], Tag()
    tag.update(data)
    count = len(data)
    while count < wanted:
        data = await _more(stream)
        tag.update(data)
        count += len(data)
    await stream.send(report_of(count, tag))


async def open_streams(open_stream: Callable[[], Awaitable[Duplex]], count: int) -> Fields:
    """Open a stream, echo a byte, close it, that many times."""
    begun = perf_counter()
    for number in range(count):
        stream = await open_stream()
        await _echo(stream, bytes([number % 256]))
        await stream.close()
    return {"seconds": perf_counter() - begun}


async def send_echoes(stream: Duplex, count: int, nbytes: int) -> Fields:
    """Echo messages of that size one after another; gives how long each took."""
    taken = []
    for number in range(count):
        message = number.to_bytes(4, "big") * (nbytes // 4)
        begun = perf_counter()
        await _echo(stream, message)
        taken.append(perf_counter() - begun)
    return {"seconds": taken}


async def serve_echo(stream: Duplex) -> None:
    """Send back what comes until the other side ends."""
    while data := await stream.receive():
        await stream.send(data)


async def _echo(stream: Duplex, message: bytes) -> None:
    await stream.send(message)
    answer = await _at_least(stream, len(message))
    if answer != message:
        raise ValueError(f"{answer!r} came back for {message!r}")


def report_of(count: int, tag: Tag) -> bytes:
    """The receiver's answer."""
    return count.to_bytes(8, "big") + tag.digest()


def read_report(report: bytes) -> dict[str, Any]:
    """The fields of the receiver's answer."""
    return {"count": int.from_bytes(report[:8], "big"), "tag": report[8:REPORT_BYTES].hex()}


async def _at_least(stream: Duplex, count: int) -> bytes:
    data = await _more(stream)
    while len(data) < count:
        data += await _more(stream)
    return data


async def _more(stream: Duplex) -> bytes:
    data = await stream.receive()
    if not data:
        raise EOFError("the stream ended early")
    return data
