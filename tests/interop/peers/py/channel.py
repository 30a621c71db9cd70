"""The command channel: JSON lines in on standard input, out on standard output."""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import TYPE_CHECKING, Any

import trio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Fields = dict[str, Any]

_READ_BYTES = 64 * 1024


class BadRequest(Exception):
    """The request is not one of the protocol's."""


class Unsupported(Exception):
    """The implementation has no such thing."""


class Channel:
    """Takes over standard input and output; whatever else prints goes to standard error."""

    def __init__(self) -> None:
        self._input = trio.lowlevel.FdStream(os.dup(0))
        self._output = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)

    def emit(self, event: str, /, **fields: object) -> None:
        self._write({"event": event, **fields})

    async def serve(self, handle: Callable[[Fields], Awaitable[Fields | None]]) -> None:
        """Answer requests, each in a task of its own, until standard input ends."""
        rest = b""
        async with trio.open_nursery() as nursery:
            while data := await self._input.receive_some(_READ_BYTES):
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    nursery.start_soon(self._answer, line, handle)
            nursery.cancel_scope.cancel()

    async def _answer(
        self, line: bytes, handle: Callable[[Fields], Awaitable[Fields | None]]
    ) -> None:
        number = None
        try:
            request = json.loads(line)
            number = request.pop("id", None)
            self._write({"id": number, "ok": await handle(request) or {}})
        except Exception as error:  # noqa: BLE001 - py-libp2p raises anything; the peer lives on
            print(f"request {line!r}:", file=sys.stderr)
            traceback.print_exc()
            text = f"{type(error).__name__}: {error}"
            self._write({"id": number, "error": text, "kind": _kind_of(error)})

    def _write(self, message: Fields) -> None:
        self._output.write(json.dumps(message) + "\n")
        self._output.flush()


def _kind_of(error: Exception) -> str:
    if isinstance(error, (BadRequest, json.JSONDecodeError)):
        return "bad-request"
    return "unsupported" if isinstance(error, Unsupported) else "failed"
