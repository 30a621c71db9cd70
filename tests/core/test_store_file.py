"""StoreFile: one thread at a time; damage told from other trouble."""

from __future__ import annotations

import errno
import sqlite3
from typing import TYPE_CHECKING

import pytest

from peerloom import _store_file

if TYPE_CHECKING:
    from pathlib import Path


def test_store_file_lets_one_thread_in_at_a_time(tmp_path: Path) -> None:
    file = _store_file.StoreFile(tmp_path / "store.sqlite")
    file.load()

    with file._alone(), pytest.raises(_store_file.StillBusy):
        file.write({("a", "key"): b"value"})
    file.write({("a", "key"): b"value"})
    file.close()


def test_failures_that_are_no_damage_are_told_apart() -> None:
    assert not _store_file.is_damage(OSError(errno.ENOSPC, "full"))
    assert not _store_file.is_damage(sqlite3.OperationalError("made by hand"))
