"""What a Python party does on the streams that it opens, one function for each script."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

import anyio
from attrs import frozen

from .frames import Frames, cut, encode_frame
from .pattern import pattern, request_header
from .pipe import StreamBroken

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from .pipe import Pipe

Fields = dict[str, Any]

_REPORT_BYTES: Final = 40


@frozen
class Task:
    """How many bytes of which pattern, and what a held stream waits for."""

    nbytes: int
    seed: int
    released: anyio.Event


async def echo(pipe: Pipe, task: Task) -> Fields:
    """Send and receive at once, until both halves have ended."""
    outcome: Fields = {}

    async def sending() -> None:
        outcome.update(await _send_and_end(pipe, task))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sending)
        received = await _receive_all(pipe)
    return {**outcome, **received}


async def _sink(pipe: Pipe, task: Task) -> Fields:
    sent = await _send_and_end(pipe, task)
    report = await pipe.read_exactly(_REPORT_BYTES)
    reported = int.from_bytes(report[:8], "big")
    return {**sent, "reported": reported, "reported_sha256": report[8:].hex()}


async def _source(pipe: Pipe, task: Task) -> Fields:
    await pipe.write(request_header(task.nbytes, task.seed))
    await pipe.close_write()
    await task.released.wait()
    return await _receive_all(pipe)


async def _half_close(pipe: Pipe, task: Task) -> Fields:
    sent = await _send_and_end(pipe, task)
    return {**sent, **await _receive_all(pipe)}


async def _expect_reset(pipe: Pipe, task: Task) -> Fields:
    await pipe.write(request_header(task.nbytes, task.seed))
    try:
        await _receive_all(pipe)
    except StreamBroken:
        return {"how": "reset", "received": pipe.received}
    return {"how": "end", "received": pipe.received}


async def _send_reset(pipe: Pipe, task: Task) -> Fields:
    await _send(pipe, task)
    await pipe.read_exactly(1)
    await pipe.reset()
    return {"sent": pipe.sent}


async def frames(pipe: Pipe, sizes: Sequence[int], seed: int) -> Fields:
    """Send frames of those sizes and receive what comes back at once; see README.md."""
    came: list[bytes] = []

    async def receiving() -> None:
        reader = Frames(pipe)
        while (frame := await reader.next()) is not None:
            came.append(frame)

    digest = hashlib.sha256()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(receiving)
        for frame in cut(pattern(seed, sum(sizes)), sizes):
            digest.update(frame)
            await pipe.write(encode_frame(frame))
        await pipe.close_write()
    received = hashlib.sha256(b"".join(came))
    return {
        "sent_sha256": digest.hexdigest(),
        "received_sha256": received.hexdigest(),
        "sizes": [len(frame) for frame in came],
    }


async def _send_and_end(pipe: Pipe, task: Task) -> Fields:
    sent = await _send(pipe, task)
    await pipe.close_write()
    return sent


async def _send(pipe: Pipe, task: Task) -> Fields:
    digest = hashlib.sha256()
    for block in pattern(task.seed, task.nbytes):
        digest.update(block)
        await pipe.write(block)
    return {"sent": task.nbytes, "sent_sha256": digest.hexdigest()}


async def _receive_all(pipe: Pipe) -> Fields:
    digest = hashlib.sha256()
    received = 0
    while data := await pipe.read():
        digest.update(data)
        received += len(data)
    return {"received": received, "received_sha256": digest.hexdigest()}


# Every script that runs on one stream, with the protocol under which it opens it by default.
SCRIPTS: Final[dict[str, tuple[str, Callable[[Pipe, Task], Awaitable[Fields]]]]] = {
    "sink": ("/test/sink/1", _sink),
    "source": ("/test/source/1", _source),
    "half-close": ("/test/half-close/1", _half_close),
    "expect-reset": ("/test/reset/1", _expect_reset),
    "send-reset": ("/test/echo/1", _send_reset),
}
ECHO: Final = "/test/echo/1"
