"""The file behind `SqliteStore`; every method blocks and is run in a worker thread."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

Contents: TypeAlias = "dict[str, dict[str, bytes]]"
Changes: TypeAlias = "Mapping[tuple[str, str], bytes | None]"

ASIDE_SUFFIX: Final = ".damaged"
_VERSION: Final = 1
_DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR})
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS items (
    namespace TEXT NOT NULL,
    key TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (namespace, key)
) WITHOUT ROWID
"""


class NewerFile(Exception):
    """The file was written by a newer version, which must find it as it left it."""


class StillBusy(Exception):
    """An earlier call has not come back from the disk."""


class StoreFile:
    """One SQLite connection, in WAL mode.

    Worker threads differ from call to call, so SQLite's own check of the thread is off, and a
    lock lets one of them in at a time, which is all that SQLite asks for. Whoever finds it taken
    raises `StillBusy` instead of waiting, lest a hanging disk takes one thread after the other.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def load(self) -> tuple[Contents, sqlite3.Error | None]:
        """Open the file and give what it holds.

        A damaged file is set aside for a new one, and the damage given as well. Raises
        sqlite3.Error or OSError when it cannot be used, and `NewerFile`.
        """
        with self._alone():
            try:
                return self._open(), None
            except sqlite3.Error as error:
                if not is_damage(error):
                    raise
                self._set_aside()
                return self._open(), error

    def write(self, changes: Changes) -> None:
        """Write these values, all or none; None deletes. Raises sqlite3.Error."""
        with self._alone(), self._transaction() as connection:
            _apply(connection, changes.items())

    def rewrite(self, contents: Contents) -> None:
        """Write these values in place of all that the file holds. Raises sqlite3.Error."""
        values = {
            (namespace, key): value
            for namespace, items in contents.items()
            for key, value in items.items()
        }
        with self._alone(), self._transaction() as connection:
            connection.execute("DELETE FROM items")
            _apply(connection, values.items())

    def close(self) -> None:
        """Let go of the file."""
        with self._alone():
            self._close()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._lock.acquire(blocking=False):
            raise StillBusy("an earlier write still waits for the disk")
        try:
            yield
        finally:
            self._lock.release()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            if self._connection is None:
                self._open()
            connection = self._connection
            assert connection is not None
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            if is_damage(error):
                self._close()
                self._set_aside()
            raise

    def _open(self) -> Contents:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            self._path.chmod(0o600)
            contents = _prepare_and_read(connection)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return contents

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def _set_aside(self) -> None:
        # One name: the newest damaged file replaces the one before, so they cannot pile up.
        for suffix in ("", "-wal", "-shm"):
            part = self._path.with_name(self._path.name + suffix)
            with suppress(FileNotFoundError):
                part.replace(part.with_name(self._path.name + ASIDE_SUFFIX + suffix))


def is_damage(error: BaseException) -> bool:
    """Whether the error tells of a file that is no store, or no longer."""
    code = getattr(error, "sqlite_errorcode", 0)
    return isinstance(error, sqlite3.Error) and (code or 0) & 0xFF in _DAMAGE


def _prepare_and_read(connection: sqlite3.Connection) -> Contents:
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found > _VERSION:
        raise NewerFile(f"written by a newer version of Peerloom (format {found})")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(_SCHEMA)
    connection.execute(f"PRAGMA user_version = {_VERSION}")
    contents: Contents = {}
    with closing(connection.execute("SELECT namespace, key, value FROM items")) as rows:
        for namespace, key, value in rows:
            contents.setdefault(namespace, {})[key] = value
    return contents


def _apply(
    connection: sqlite3.Connection, values: Iterable[tuple[tuple[str, str], bytes | None]]
) -> None:
    values = list(values)
    connection.executemany(
        "INSERT OR REPLACE INTO items VALUES (?, ?, ?)",
        [(*name, value) for name, value in values if value is not None],
    )
    connection.executemany(
        "DELETE FROM items WHERE namespace = ? AND key = ?",
        [name for name, value in values if value is None],
    )
