"""What commands read from their input, and how they show what peers have sent."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

import anyio
from anyio.lowlevel import checkpoint

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from peerloom import PeerId

_READ_BYTES: Final = 65_536
_SHORT_ID: Final = 8  # the end of an id: its beginning is the same for all keys of a kind


async def input_lines() -> AsyncIterator[bytes]:
    """The lines of the input until its end, without their ends; the last may lack one."""
    if sys.stdin is None:  # closed by whoever started this
        return
    buffered = b""
    while data := await _read(sys.stdin.fileno()):
        *lines, buffered = (buffered + data).split(b"\n")
        for line in lines:
            yield line.removesuffix(b"\r")
    if buffered:
        yield buffered


async def _read(descriptor: int) -> bytes:
    # Not in a thread: one that waits for a line would outlive the command.
    try:
        await anyio.wait_readable(descriptor)
    except PermissionError:  # a regular file: it never waits
        await checkpoint()
    return os.read(descriptor, _READ_BYTES)


def short(peer: PeerId | None) -> str:
    """Enough of a peer id for people to tell peers apart."""
    return "somebody" if peer is None else str(peer)[-_SHORT_ID:]


def shown(data: bytes) -> str:
    """What a peer has sent as one line of text, without what would steer the terminal."""
    text = data.decode("utf-8", errors="replace")
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
