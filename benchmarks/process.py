"""Workers: the processes that are measured, driven by JSON lines as the interop peers are."""

from __future__ import annotations

from contextlib import asynccontextmanager
from subprocess import PIPE
from typing import TYPE_CHECKING, Any

import anyio

from tests.interop.build import ROOT
from tests.interop.driver import Peer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

__all__ = ["ROOT", "Peer", "worker"]


@asynccontextmanager
async def worker(name: str, command: Sequence[str], **settings: Any) -> AsyncIterator[Peer]:
    """Run a worker; `settings` are the fields of its ``start`` request.

    Its log is added to whatever error leaves the block.
    """
    failure: BaseException | None = None
    async with (
        await anyio.open_process(command, stdin=PIPE, stdout=PIPE, stderr=PIPE, cwd=ROOT) as child,
        anyio.create_task_group() as tasks,
    ):
        running = Peer(name, child)
        tasks.start_soon(running.read_output)
        tasks.start_soon(running.read_log)
        try:
            await running.start(**settings)
            yield running
        except BaseException as error:  # noqa: BLE001 - raised again below, outside the group
            error.add_note(running.log)
            failure = error
        finally:
            await running.stop()
    if failure is not None:
        raise failure
