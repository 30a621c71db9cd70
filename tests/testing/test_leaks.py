"""How what is left behind is named."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from peerloom.testing._leaks import _socket

if TYPE_CHECKING:
    from pathlib import Path


def test_a_socket_is_named_by_its_ends_and_stays_open() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        assert _socket(sock.fileno()) == f"AF_INET SOCK_STREAM {sock.getsockname()}"
        sock.listen()


def test_one_that_cannot_be_asked_for_them_is_named_all_the_same(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:  # the system answers as for those
        assert _socket(file.fileno()) == f"of descriptor {file.fileno()}"
