"""How what is left behind is named."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import anyio

from peerloom.testing import _leaks, no_leaks
from peerloom.testing._leaks import _socket

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_socket_is_named_by_its_ends_and_stays_open() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        assert _socket(sock.fileno()) == f"AF_INET SOCK_STREAM {sock.getsockname()}"
        sock.listen()


def test_one_that_cannot_be_asked_for_them_is_named_all_the_same(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:  # the system answers as for those
        assert _socket(file.fileno()) == f"of descriptor {file.fileno()}"


async def test_what_goes_while_the_machine_stands_still_is_not_left_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_leaks, "GRACE_SECONDS", 0.05)
    opened = anyio.Event()

    async def close_late() -> None:
        await opened.wait()
        await anyio.sleep(0.001)
        time.sleep(0.1)  # noqa: ASYNC251 - as if nobody had run meanwhile
        kept.close()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(close_late)
        await anyio.wait_all_tasks_blocked()
        async with no_leaks():
            kept = socket.socket()
            opened.set()
