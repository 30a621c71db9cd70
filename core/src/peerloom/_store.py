"""Store: small values that survive a restart, for the node and its plugins.

Reads come from memory, so a plain handler may ask; writes are buffered and reach the disk within
a second, and at shutdown. `MemoryStore` keeps nothing; `SqliteStore` keeps one file.
"""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final, TypeVar

import anyio

from ._errors import StoreFull
from ._events import StoreFailed
from ._store_file import NewerFile, StillBusy, StoreFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from anyio.abc import TaskGroup

    from ._runtime import Runtime
    from ._store_file import Contents

T = TypeVar("T")

MAX_NAMESPACES: Final = 256  # some per plugin
MAX_NAMESPACE_ITEMS: Final = 16_384  # four times as many as the peers that are remembered
MAX_NAMESPACE_BYTES: Final = 16 * 1024 * 1024  # all of it stays in memory
MAX_KEY_BYTES: Final = 512
MAX_VALUE_BYTES: Final = 256 * 1024
FLUSH_SECONDS: Final = 1.0  # what a crash may lose
MAX_BACKLOG: Final = 4_096  # changes kept one by one; past that the whole file is written anew
WRITE_SECONDS: Final = 5.0  # a disk that takes longer hangs
MAX_RETRY_SECONDS: Final = 60.0  # a full disk is not tried more often


class StoreNamespace:
    """The part of a store that belongs to one owner: text keys, bytes values.

    Nothing here waits; `put` and `delete` take effect in memory at once.
    """

    __slots__ = ("_bytes", "_changed", "_items", "_name")

    def __init__(
        self, name: str, items: dict[str, bytes], changed: Callable[[str, str], None]
    ) -> None:
        self._name = name
        self._items = items
        self._bytes = sum(_size(key, value) for key, value in items.items())
        self._changed = changed

    def get(self, key: str) -> bytes | None:
        """The value, or None."""
        return self._items.get(key)

    def put(self, key: str, value: bytes) -> None:
        """Set a value.

        Raises ValueError for a key over 512 bytes or a value over 256 KiB, and `StoreFull` when
        the namespace would pass 16,384 items or 16 MiB.
        """
        if len(key.encode()) > MAX_KEY_BYTES or len(value) > MAX_VALUE_BYTES:
            raise ValueError(
                f"a key may have {MAX_KEY_BYTES} bytes and a value {MAX_VALUE_BYTES}: {key[:80]!r}"
            )
        old = self._items.get(key)
        if old == value:
            return
        count = len(self._items) + (old is None)
        size = self._bytes + _size(key, value) - (0 if old is None else _size(key, old))
        if count > MAX_NAMESPACE_ITEMS or size > MAX_NAMESPACE_BYTES:
            raise StoreFull(
                f"the store's namespace {self._name!r} may hold {MAX_NAMESPACE_ITEMS} items and "
                f"{MAX_NAMESPACE_BYTES} bytes: delete some first"
            )
        self._items[key] = bytes(value)
        self._bytes = size
        self._changed(self._name, key)

    def delete(self, key: str) -> bool:
        """Remove a value; gives whether it was there."""
        old = self._items.pop(key, None)
        if old is None:
            return False
        self._bytes -= _size(key, old)
        self._changed(self._name, key)
        return True

    def items(self) -> tuple[tuple[str, bytes], ...]:
        """All keys with their values, as they are now."""
        return tuple(self._items.items())


def _size(key: str, value: bytes) -> int:
    return len(key.encode()) + len(value)


class Store(ABC):
    """Where a node and its plugins keep what shall survive a restart.

    An async context manager; ask it for namespaces only inside.
    """

    def __init__(self) -> None:
        self._namespaces: dict[str, StoreNamespace] = {}

    def namespace(self, name: str) -> StoreNamespace:
        """The part of that name, always the same object; raises `StoreFull` past 256 names."""
        found = self._namespaces.get(name)
        if found is None:
            if len(self._namespaces) >= MAX_NAMESPACES:
                raise StoreFull(f"the store may hold {MAX_NAMESPACES} namespaces")
            found = self._namespaces[name] = StoreNamespace(name, {}, self._changed)
        return found

    @abstractmethod
    async def flush(self) -> None:
        """Return once everything put before is on disk, or could not be written."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return None

    @abstractmethod
    def _changed(self, namespace: str, key: str) -> None:
        """A value was set or deleted."""


class MemoryStore(Store):
    """A store that ends with the node."""

    async def flush(self) -> None:
        """There is nothing to wait for."""

    def _changed(self, namespace: str, key: str) -> None:
        """Nothing has to follow."""


class SqliteStore(Store):
    """A store in one SQLite file.

    A disk that is full, or hangs, is tried again; a damaged file is set aside; a file that cannot
    be used at all is left alone. In each case the store goes on in memory and `on_failure` is
    told, once until a write succeeds again.

    Args:
        path: the file, in a folder that exists and that this process holds.
        runtime: lends the worker threads.
        on_failure: a plain function that hears `StoreFailed`.
    """

    def __init__(
        self, path: Path, runtime: Runtime, on_failure: Callable[[StoreFailed], None]
    ) -> None:
        super().__init__()
        self._path = path
        self._runtime = runtime
        self._on_failure = on_failure
        self._file: StoreFile | None = StoreFile(path)
        self._backlog: dict[tuple[str, str], bytes | None] = {}
        self._rewrite = False
        self._failing = False
        self._dirty = anyio.Event()
        self._flushing = anyio.Lock()
        self._group: TaskGroup

    async def flush(self) -> None:
        """Return once everything put before is on disk, or could not be written."""
        await self._flush()

    async def __aenter__(self) -> Self:
        await self._load()
        self._group = await anyio.create_task_group().__aenter__()
        self._group.start_soon(self._keep_flushing)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        self._group.cancel_scope.cancel()
        try:
            # What the caller raised is not the group's: it would come out as an exception group.
            await self._group.__aexit__(None, None, None)
        finally:
            with anyio.CancelScope(shield=True):  # each of them is bounded
                await self._flush()
                await self._close()
        return None

    def _changed(self, namespace: str, key: str) -> None:
        if self._file is None:
            return
        if len(self._backlog) >= MAX_BACKLOG:
            self._write_all_anew()
        if not self._rewrite:
            self._backlog[namespace, key] = self.namespace(namespace).get(key)
        self._dirty.set()

    def _write_all_anew(self) -> None:
        self._backlog.clear()
        self._rewrite = True
        self._dirty.set()

    async def _keep_flushing(self) -> None:
        delay = FLUSH_SECONDS
        while True:
            await self._dirty.wait()
            await anyio.sleep(delay)
            written = await self._flush()
            delay = FLUSH_SECONDS if written else min(2 * delay, MAX_RETRY_SECONDS)

    async def _flush(self) -> bool:
        async with self._flushing:
            if self._file is None or not self._dirty.is_set():
                return True
            self._dirty = anyio.Event()
            write = self._take(self._file)
            try:
                await self._in_thread(write)
            except (sqlite3.Error, OSError, StillBusy, NewerFile) as error:
                self._report(error)
                self._write_all_anew()
                return False
            self._failing = False
            return True

    def _take(self, file: StoreFile) -> Callable[[], None]:
        if self._rewrite:
            contents = {name: dict(space.items()) for name, space in self._namespaces.items()}
            self._rewrite = False
            return lambda: file.rewrite(contents)
        changes, self._backlog = self._backlog, {}
        return lambda: file.write(changes)

    async def _in_thread(self, function: Callable[[], T]) -> T:
        # Shielded, as a write that nobody awaits would leave the next one in front of the lock.
        with anyio.move_on_after(WRITE_SECONDS, shield=True):
            return await self._runtime.offload(function)
        raise TimeoutError(f"the disk did not answer within {WRITE_SECONDS} seconds")

    async def _load(self) -> None:
        file = self._file
        assert file is not None
        try:
            contents, damage = await self._in_thread(file.load)
        except (sqlite3.Error, OSError, NewerFile) as error:
            self._file = None  # what could not be read must not be overwritten
            self._report(error)
            return
        if damage is not None:
            self._report(damage)
        self._fill(contents)

    def _fill(self, contents: Contents) -> None:
        for name, items in contents.items():
            self._namespaces[name] = StoreNamespace(name, items, self._changed)

    async def _close(self) -> None:
        if self._file is None:
            return
        try:
            await self._in_thread(self._file.close)
        except (OSError, StillBusy) as error:
            self._report(error)

    def _report(self, error: BaseException) -> None:
        if not self._failing:
            self._failing = True
            self._on_failure(StoreFailed(str(self._path), error))
