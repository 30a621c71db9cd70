"""The command channel of a worker: JSON lines in on standard input, out on standard output."""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import TYPE_CHECKING, Any, Final

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    Commands = Mapping[str, Callable[..., Awaitable["Fields | None"]]]

Fields = dict[str, Any]

_READ_BYTES: Final = 64 * 1024


class Channel:
    """Takes over standard input and output; whatever else prints goes to standard error."""

    def __init__(self) -> None:
        self._input = os.dup(0)
        self._output = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)

    async def serve(self, commands: Commands) -> None:
        """Answer requests, each in a task of its own, until standard input ends."""
        async with anyio.create_task_group() as tasks:
            async for line in self._lines():
                tasks.start_soon(self._answer, json.loads(line), commands)
            tasks.cancel_scope.cancel()

    async def _lines(self) -> AsyncIterator[bytes]:
        rest = b""
        while True:
            await anyio.wait_readable(self._input)
            data = os.read(self._input, _READ_BYTES)
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                yield line

    async def _answer(self, request: Fields, commands: Commands) -> None:
        number, do = request.pop("id"), request.pop("do")
        try:
            self._write({"id": number, "ok": await commands[do](**request) or {}})
        except Exception as error:  # noqa: BLE001 - whatever a library raises is an answer
            traceback.print_exc(file=sys.stderr)
            text = f"{type(error).__name__}: {error}"
            self._write({"id": number, "error": text, "kind": "failed"})

    def _write(self, message: Fields) -> None:
        self._output.write(json.dumps(message) + "\n")
        self._output.flush()
