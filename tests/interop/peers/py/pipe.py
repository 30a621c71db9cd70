"""LibPipe: a py-libp2p stream as a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from libp2p.network.stream.exceptions import StreamEOF, StreamError

from tests.interop.pipe import Pipe, StreamBroken

if TYPE_CHECKING:
    from libp2p.abc import INetStream

_READ_BYTES: Final = 64 * 1024


class LibPipe(Pipe):
    def __init__(self, stream: INetStream) -> None:
        super().__init__()
        self._stream: Any = stream

    async def _receive(self) -> bytes:
        try:
            return bytes(await self._stream.read(_READ_BYTES))
        except StreamEOF:
            self._check_end()
            return b""
        except StreamError as error:
            raise StreamBroken(f"{type(error).__name__}: {error}") from error

    async def _send(self, data: bytes) -> None:
        try:
            await self._stream.write(data)
        except StreamError as error:
            raise StreamBroken(f"{type(error).__name__}: {error}") from error

    async def _send_end(self) -> None:
        await self._stream.close_write()

    async def _send_reset(self) -> None:
        await self._stream.reset()

    def _check_end(self) -> None:
        # py-libp2p tells a reader that waits of a reset, and of a lost connection, as of an end.
        muxed = self._stream.muxed_stream
        if muxed.reset_received:
            raise StreamBroken("reset by the other side")
        if muxed.conn.event_shutting_down.is_set():
            raise StreamBroken("the connection was lost")
