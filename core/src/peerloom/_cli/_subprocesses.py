"""Other processes of this command line: started, read line by line, and never left behind."""

from __future__ import annotations

import os
import subprocess as standard
import sys
import tempfile
from contextlib import asynccontextmanager
from typing import IO, TYPE_CHECKING, Final

import anyio
from anyio.streams.buffered import BufferedByteReceiveStream

from peerloom._errors import PeerloomError

from ._output import one_line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import Process

LINE_SECONDS: Final = 90.0  # for one line, or for the end
STOP_SECONDS: Final = 10.0  # a node says goodbye within 2 s
MAX_LINE_BYTES: Final = 64 << 10
MAX_COMPLAINT_BYTES: Final = 4096


class Subprocess:
    """A process of this command line."""

    def __init__(self, name: str, process: Process, complaints: IO[bytes]) -> None:
        assert process.stdout is not None
        self._name = name
        self._process = process
        self._complaints = complaints
        self._output = BufferedByteReceiveStream(process.stdout)

    async def line(self) -> str:
        """The next line it prints; raises `PeerloomError` with its complaint if none comes."""
        try:
            with anyio.fail_after(LINE_SECONDS):
                line = await self._output.receive_until(b"\n", MAX_LINE_BYTES)
        except anyio.IncompleteRead:
            status = await self._process.wait()
            raise PeerloomError(self._complaint(f"ended with status {status}")) from None
        except TimeoutError:
            raise PeerloomError(self._complaint("says nothing")) from None
        return line.decode()

    async def finish(self) -> None:
        """Wait for its end; raises `PeerloomError` unless its status is 0."""
        await self._end(LINE_SECONDS)

    async def stop(self) -> None:
        """Send it SIGTERM and wait for its end; raises `PeerloomError` unless it is clean."""
        self._process.terminate()
        await self._end(STOP_SECONDS)

    async def _end(self, seconds: float) -> None:
        try:
            with anyio.fail_after(seconds):
                status = await self._process.wait()
        except TimeoutError:
            raise PeerloomError(self._complaint("does not end")) from None
        if status != 0:
            raise PeerloomError(self._complaint(f"ended with status {status}"))

    def _complaint(self, what: str) -> str:
        self._complaints.seek(0)
        said = self._complaints.read(MAX_COMPLAINT_BYTES).decode(errors="replace")
        return f"`peerloom {self._name}` {what}: {one_line(PeerloomError(said))}"


@asynccontextmanager
async def subprocess(*arguments: str) -> AsyncIterator[Subprocess]:
    """Run this command line in another process while the block lasts; then it is killed."""
    command = [sys.executable, "-m", "peerloom._cli", *arguments]
    with tempfile.TemporaryFile() as complaints:
        process = await anyio.open_process(
            command, stdin=standard.DEVNULL, stderr=complaints, env=_environment()
        )
        try:
            yield Subprocess(arguments[0], process, complaints)
        finally:
            with anyio.CancelScope(shield=True):
                if process.returncode is None:
                    process.kill()
                await process.aclose()


def _environment() -> dict[str, str]:
    """This process's environment without settings that were meant for another node."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PEERLOOM_")}
