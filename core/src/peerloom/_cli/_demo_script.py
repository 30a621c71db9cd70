"""The demo's story: which processes it starts, what they do, and what that showed."""

from __future__ import annotations

import hashlib
import json
import tempfile
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
from attrs import frozen

from peerloom._errors import PeerloomError
from peerloom._runtime import SystemRuntime

from ._output import human_bytes, human_rate, milliseconds, one_line, tell
from ._subprocesses import Subprocess, subprocess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DEMO_SECONDS: Final = 110.0  # it promises to take less than two minutes
_BLOCK_BYTES: Final = 4 << 20


@frozen
class Row:
    """A line of the table.

    Attributes:
        what: what was tried.
        works: whether it worked.
        measured: how fast, or what went wrong.
    """

    what: str
    works: bool
    measured: str


async def play(size: int, *, trio: bool) -> bool:
    """Run the demo with a file of so many bytes, print its table; gives whether all worked."""
    runtime = SystemRuntime()
    began_at = runtime.now()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="peerloom-demo-") as folder:
        demo = _Demo(Path(folder), ("--trio",) if trio else (), runtime, rows)
        with anyio.move_on_after(DEMO_SECONDS) as time_limit:
            await demo.play(size)
    if time_limit.cancelled_caught:
        rows.append(Row("end in time", works=False, measured=f"stopped after {DEMO_SECONDS:.0f} s"))
    show(rows, runtime.now() - began_at)
    return all(row.works for row in rows)


def show(rows: list[Row], seconds: float) -> None:
    """Print the table."""
    from rich.console import Console
    from rich.table import Table

    table = Table("what", "", "measured", title="Peerloom demo")
    for row in rows:
        table.add_row(row.what, "ok" if row.works else "FAILED", row.measured)
    console = Console(markup=False, highlight=False)
    console.print(table)
    verdict = "all of it worked" if all(row.works for row in rows) else "NOT all of it worked"
    console.print(f"{verdict}; it took {seconds:.1f} s")


class _Demo:
    def __init__(
        self, folder: Path, backend: tuple[str, ...], runtime: SystemRuntime, rows: list[Row]
    ) -> None:
        self._folder = folder
        self._backend = backend
        self._runtime = runtime
        self._rows = rows

    async def play(self, size: int) -> None:
        async with self._attempt("messages"):
            await self._talk()
        async with self._attempt("file"):
            await self._move_file(size)

    @asynccontextmanager
    async def _attempt(self, what: str) -> AsyncIterator[None]:
        try:
            yield
        except (PeerloomError, OSError) as error:
            self._rows.append(Row(what, works=False, measured=one_line(error)))

    async def _talk(self) -> None:
        tell("starting a node")
        began_at = self._runtime.now()
        async with self._peerloom("demo-listener") as listener:
            address = await listener.line()
            self._tell_row("a node starts and listens", self._since(began_at))
            for security in ("tls", "noise"):
                tell(f"connecting by {security}, exchanging messages")
                await self._call(address, security)
            await listener.stop()
            self._tell_row("SIGTERM ends it cleanly", "status 0")

    async def _call(self, address: str, security: str) -> None:
        async with self._peerloom("demo-caller", address, "--security", security) as caller:
            found = json.loads(await caller.line())
            await caller.finish()
        self._tell_row(
            f"connect by {security} ({found['security']})", milliseconds(found["connect_seconds"])
        )
        self._tell_row(
            f"{found['messages']} messages there and back by {security}",
            f"{milliseconds(found['median_seconds'])} each, "
            f"{found['messages'] / found['seconds']:.0f}/s",
        )

    async def _move_file(self, size: int) -> None:
        tell(f"making a file of {human_bytes(size)}")
        path, target = self._folder / "demo.bin", self._folder / "received"
        digest = await self._runtime.offload(partial(_make_file, path, size))
        await self._runtime.offload(target.mkdir)
        where = ("--listen", "/ip4/127.0.0.1/tcp/0", "--data", str(self._folder / "sender"))
        async with self._peerloom("send", str(path), *where) as sender:
            tell("sending it")
            ticket = await sender.line()
            arguments = ("receive", ticket, "--to", str(target), "--json", "--attempts", "1")
            async with self._peerloom(*arguments) as receiver:
                found = json.loads(await receiver.line())
                await receiver.finish()
            await sender.finish()
        self._tell_row(
            f"send and receive {human_bytes(size)}",
            f"{found['seconds']:.2f} s, {human_rate(size, found['seconds'])}",
        )
        received = Path(found["path"])
        same = await self._runtime.offload(lambda: _hash_file(received)) == digest
        self._rows.append(
            Row("the file that arrived is the same", same, f"SHA-256 {digest.hex()[:16]}…")
        )

    @asynccontextmanager
    async def _peerloom(self, *arguments: str) -> AsyncIterator[Subprocess]:
        async with subprocess(*arguments, *self._backend) as process:
            yield process

    def _tell_row(self, what: str, measured: str) -> None:
        self._rows.append(Row(what, works=True, measured=measured))

    def _since(self, began_at: float) -> str:
        return f"{self._runtime.now() - began_at:.2f} s"


def _make_file(path: Path, size: int) -> bytes:
    runtime, digest = SystemRuntime(), hashlib.sha256()
    with path.open("wb") as file:
        for start in range(0, size, _BLOCK_BYTES):
            block = runtime.secret_bytes(min(_BLOCK_BYTES, size - start))
            digest.update(block)
            file.write(block)
    return digest.digest()


def _hash_file(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
