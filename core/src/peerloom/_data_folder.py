"""The data folder: one node at a time holds it."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from ._errors import ConfigError, DataFolderInUse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK_NAME: Final = "lock"


@contextmanager
def hold_data_folder(folder: Path) -> Iterator[Path]:
    """Make the folder if need be, and hold it: no other node gets it, of this process or another.

    The system lets go of it when the process ends, however it ends. Raises `DataFolderInUse`, or
    `ConfigError` when the folder cannot be made or written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(
            f"data_folder: {folder} cannot be used: {error.strerror or error}"
        ) from error
    try:
        _lock(descriptor, folder)
        yield folder
    finally:
        os.close(descriptor)


def holder_of(folder: Path) -> str | None:
    """Who holds the folder, for people, or None; changes nothing."""
    try:
        descriptor = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _holder(descriptor)
    finally:
        os.close(descriptor)
    return None


def _lock(descriptor: int, folder: Path) -> None:
    try:
        # flock, not lockf: it also keeps two nodes of one process apart.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DataFolderInUse(str(folder), _holder(descriptor)) from None
    with suppress(OSError):  # who holds it is only for the other's error text
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)


def _holder(descriptor: int) -> str:
    holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
    return f"process {holder}" if holder.isdigit() else "another process"
