"""What workers do on streams; js/worker.mjs has the same in JavaScript."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from .payload import Tag, blocks, blocks_of

if TYPE_CHECKING:
    from .host import Duplex

BULK: Final = "/bench/bulk/1"
HEADER_BYTES: Final = 8
REPORT_BYTES: Final = 24


async def send_bulk(stream: Duplex, nbytes: int, seed: int) -> dict[str, Any]:
    """Send a count and that many bytes; the clock runs until the receiver's report is here."""
    ring = blocks_of(seed)
    begun = perf_counter()
    await stream.send(nbytes.to_bytes(HEADER_BYTES, "big"))
    for block in blocks(ring, nbytes):
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
        data = await stream.receive()
        tag.update(data)
        count += len(data)
    await stream.send(report_of(count, tag))


def report_of(count: int, tag: Tag) -> bytes:
    """The receiver's answer."""
    return count.to_bytes(8, "big") + tag.digest()


def read_report(report: bytes) -> dict[str, Any]:
    """The fields of the receiver's answer."""
    return {"count": int.from_bytes(report[:8], "big"), "tag": report[8:REPORT_BYTES].hex()}


async def _at_least(stream: Duplex, count: int) -> bytes:
    data = await stream.receive()
    while len(data) < count:
        data += await stream.receive()
    return data
