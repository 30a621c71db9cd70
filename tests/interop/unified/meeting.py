"""Meeting: the two things that a test needs of a Redis server, in its protocol RESP 2."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import anyio
from anyio.streams.buffered import BufferedByteReceiveStream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import SocketStream

_MAX_LINE_BYTES: Final = 4096


class MeetingFailed(Exception):
    """The server did not do what it was asked for."""


class Meeting:
    """A connection to the server."""

    def __init__(self, stream: SocketStream) -> None:
        self._stream = stream
        self._answers = BufferedByteReceiveStream(stream)

    async def put(self, key: str, value: str) -> None:
        """Set a key."""
        await self._ask("SET", key, value)

    async def get(self, key: str) -> str | None:
        """The value of a key, or None if it has none."""
        return await self._ask("GET", key)

    async def _ask(self, *words: str) -> str | None:
        parts = [b"$%d\r\n%s\r\n" % (len(word), word) for word in map(str.encode, words)]
        await self._stream.send(b"*%d\r\n%s" % (len(parts), b"".join(parts)))
        line = (await self._answers.receive_until(b"\r\n", _MAX_LINE_BYTES)).decode()
        kind, rest = line[:1], line[1:]
        if kind == "+":
            return rest
        if kind != "$":
            raise MeetingFailed(f"{words[0]}: {rest}")
        if rest == "-1":
            return None
        return (await self._answers.receive_exactly(int(rest) + 2))[:-2].decode()


@asynccontextmanager
async def meeting(host: str, port: int) -> AsyncIterator[Meeting]:
    """Connect to the server."""
    async with await anyio.connect_tcp(host, port) as stream:
        yield Meeting(stream)
