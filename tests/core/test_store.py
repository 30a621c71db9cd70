"""Store: one behaviour, in memory and in a file; and what the file survives."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from random import Random
from typing import TYPE_CHECKING, TypeVar

import anyio
import anyio.to_thread
import pytest

from peerloom import _store, _store_file
from peerloom._errors import StoreFull
from peerloom._events import StoreFailed
from peerloom._runtime import SystemRuntime
from peerloom._store import MemoryStore, SqliteStore, Store

if TYPE_CHECKING:
    from pathlib import Path

T = TypeVar("T")
Opener = Callable[[], AbstractAsyncContextManager[Store]]


class Failures(list[StoreFailed]):
    """Hears what a store reports."""


@pytest.fixture
def failures() -> Failures:
    return Failures()


def sqlite_store(path: Path, failures: Failures) -> SqliteStore:
    return SqliteStore(path, SystemRuntime(), failures.append)


@pytest.fixture(params=["memory", "sqlite"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path, failures: Failures) -> Opener:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Store]:
        store: Store = (
            MemoryStore()
            if request.param == "memory"
            else sqlite_store(tmp_path / "store.sqlite", failures)
        )
        async with store:
            yield store
        assert failures == []

    return opened


async def test_store_gives_back_what_was_put(open_store: Opener) -> None:
    async with open_store() as store:
        space = store.namespace("a")
        space.put("one", b"1")
        space.put("two", b"2")
        space.put("one", b"uno")
        await store.flush()

        assert space.get("one") == b"uno"
        assert space.get("three") is None
        assert dict(space.items()) == {"one": b"uno", "two": b"2"}


async def test_store_deletes(open_store: Opener) -> None:
    async with open_store() as store:
        space = store.namespace("a")
        space.put("one", b"1")

        assert space.delete("one")
        assert not space.delete("one")
        assert space.items() == ()


async def test_store_keeps_namespaces_apart(open_store: Opener) -> None:
    async with open_store() as store:
        store.namespace("a").put("key", b"a")
        store.namespace("b").put("key", b"b")

        assert store.namespace("a").get("key") == b"a"
        assert store.namespace("a") is store.namespace("a")


async def test_store_refuses_what_passes_its_bounds(
    open_store: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_store, "MAX_NAMESPACE_ITEMS", 2)
    monkeypatch.setattr(_store, "MAX_NAMESPACES", 2)
    async with open_store() as store:
        space = store.namespace("a")
        with pytest.raises(ValueError, match="a key may have 512 bytes"):
            space.put("k" * 513, b"")
        with pytest.raises(ValueError, match="a value 262144"):
            space.put("k", b"." * 262_145)
        space.put("one", b"")
        space.put("two", b"")
        space.put("two", b"again")
        with pytest.raises(StoreFull, match="'a' may hold 2 items"):
            space.put("three", b"")
        assert space.delete("one")
        space.put("three", b"")
        store.namespace("b")
        with pytest.raises(StoreFull, match="2 namespaces"):
            store.namespace("c")


async def test_store_counts_bytes_against_its_bound(
    open_store: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_store, "MAX_NAMESPACE_BYTES", 10)
    async with open_store() as store:
        space = store.namespace("a")
        space.put("k", b"123456789")
        with pytest.raises(StoreFull, match="10 bytes"):
            space.put("l", b"")
        space.put("k", b"12345678")
        space.put("l", b"")


async def test_store_lets_the_error_of_its_user_through(open_store: Opener) -> None:
    with pytest.raises(KeyError, match="mine"):
        async with open_store():
            raise KeyError("mine")


async def test_sqlite_store_survives_a_restart(tmp_path: Path, failures: Failures) -> None:
    path = tmp_path / "store.sqlite"
    async with sqlite_store(path, failures) as store:
        store.namespace("a").put("key", b"value")
        store.namespace("a").put("gone", b"value")
        store.namespace("a").delete("gone")
    async with sqlite_store(path, failures) as store:
        assert store.namespace("a").items() == (("key", b"value"),)
        store.namespace("a").delete("key")
    async with sqlite_store(path, failures) as store:
        assert store.namespace("a").items() == ()

    assert failures == []
    assert path.stat().st_mode & 0o777 == 0o600


async def test_sqlite_store_writes_without_being_asked(
    tmp_path: Path, failures: Failures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_store, "FLUSH_SECONDS", 0.01)
    path = tmp_path / "store.sqlite"
    async with sqlite_store(path, failures) as store:
        store.namespace("a").put("key", b"value")
        with anyio.fail_after(10):
            while rows(path) != [("a", "key", b"value")]:  # noqa: ASYNC110 - files tell nobody
                await anyio.sleep(0.01)


async def test_sqlite_store_writes_at_the_end_of_a_cancelled_node(
    tmp_path: Path, failures: Failures
) -> None:
    path = tmp_path / "store.sqlite"
    with anyio.CancelScope() as scope:
        async with sqlite_store(path, failures) as store:
            store.namespace("a").put("key", b"value")
            scope.cancel()
            await anyio.sleep_forever()

    assert scope.cancelled_caught
    assert rows(path) == [("a", "key", b"value")]


async def test_sqlite_store_writes_all_of_a_backlog_that_passed_its_bound(
    tmp_path: Path, failures: Failures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_store, "MAX_BACKLOG", 3)
    path = tmp_path / "store.sqlite"
    async with sqlite_store(path, failures) as store:
        space = store.namespace("a")
        space.put("old", b"")
        await store.flush()
        space.delete("old")
        for number in range(9):
            space.put(str(number), b"x")
            assert len(store._backlog) <= 3
        await store.flush()
        space.put("after", b"x")

    assert {key for _, key, _ in rows(path)} == {*map(str, range(9)), "after"}


@pytest.mark.parametrize("content", [b"this is no database" * 100, b"SQLite format 3\0" * 300])
async def test_sqlite_store_sets_a_damaged_file_aside(
    tmp_path: Path, failures: Failures, content: bytes
) -> None:
    path = tmp_path / "store.sqlite"
    path.write_bytes(content)
    async with sqlite_store(path, failures) as store:
        assert store.namespace("a").items() == ()
        store.namespace("a").put("key", b"value")

    assert [failure.path for failure in failures] == [str(path)]
    assert isinstance(failures[0].cause, sqlite3.DatabaseError)
    assert (tmp_path / "store.sqlite.damaged").read_bytes() == content
    assert rows(path) == [("a", "key", b"value")]


async def test_sqlite_store_sets_a_file_of_another_program_aside(
    tmp_path: Path, failures: Failures
) -> None:
    path = tmp_path / "store.sqlite"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE items (something)")
    other.close()
    async with sqlite_store(path, failures):
        pass

    assert len(failures) == 1
    assert (tmp_path / "store.sqlite.damaged").exists()


async def test_sqlite_store_writes_all_anew_when_the_file_is_damaged_meanwhile(
    tmp_path: Path, failures: Failures, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "store.sqlite"
    async with sqlite_store(path, failures) as store:
        store.namespace("a").put("before", b"1")
        await store.flush()
        damaged = sqlite3.DatabaseError("database disk image is malformed")
        damaged.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        fail_once(monkeypatch, damaged)
        store.namespace("a").put("after", b"2")
        await store.flush()
        assert [failure.cause for failure in failures] == [damaged]

    assert rows(path) == [("a", "after", b"2"), ("a", "before", b"1")]
    assert (tmp_path / "store.sqlite.damaged").exists()


async def test_sqlite_store_goes_on_while_the_disk_is_full_and_says_so_once(
    tmp_path: Path, failures: Failures, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "store.sqlite"
    async with sqlite_store(path, failures) as store:
        full = sqlite3.OperationalError("database or disk is full")
        full.sqlite_errorcode = sqlite3.SQLITE_FULL
        for number in range(3):
            fail_once(monkeypatch, full)
            store.namespace("a").put(str(number), b"x")
            await store.flush()
            assert store.namespace("a").get(str(number)) == b"x"
        assert [failure.cause for failure in failures] == [full]
        await store.flush()
        fail_once(monkeypatch, full)
        store.namespace("a").put("3", b"x")
        await store.flush()
        assert len(failures) == 2

    assert [key for _, key, _ in rows(path)] == ["0", "1", "2", "3"]
    assert not (tmp_path / "store.sqlite.damaged").exists()


async def test_sqlite_store_really_runs_out_of_space(tmp_path: Path, failures: Failures) -> None:
    path = tmp_path / "store.sqlite"
    async with sqlite_store(path, failures) as store:
        file = store._file
        assert file is not None
        assert file._connection is not None
        file._connection.execute("PRAGMA max_page_count = 8")
        store.namespace("a").put("big", b"x" * 200_000)
        await store.flush()
        assert [type(failure.cause) for failure in failures] == [sqlite3.OperationalError]
        file._connection.execute("PRAGMA max_page_count = 100000")

    assert [key for _, key, _ in rows(path)] == ["big"]


async def test_sqlite_store_leaves_a_file_alone_that_it_cannot_open(
    tmp_path: Path, failures: Failures
) -> None:
    path = tmp_path / "missing folder" / "store.sqlite"
    async with sqlite_store(path, failures) as store:
        store.namespace("a").put("key", b"value")
        await store.flush()
        assert store.namespace("a").get("key") == b"value"

    assert len(failures) == 1
    assert not path.parent.exists()


async def test_sqlite_store_leaves_the_file_of_a_newer_version_alone(
    tmp_path: Path, failures: Failures
) -> None:
    path = tmp_path / "store.sqlite"
    newer = sqlite3.connect(path)
    newer.execute("PRAGMA user_version = 2")
    newer.close()
    before = path.read_bytes()
    async with sqlite_store(path, failures) as store:
        store.namespace("a").put("key", b"value")

    assert path.read_bytes() == before
    assert "newer version" in str(failures[0].cause)


class SlowRuntime(SystemRuntime):
    """Its threads wait until they are let go."""

    def __init__(self) -> None:
        super().__init__()
        self.random = Random(1)
        self.hold = threading.Event()
        self.hold.set()

    async def offload(self, function: Callable[[], T]) -> T:
        def later() -> T:
            assert self.hold.wait(20)
            return function()

        return await super().offload(later)


async def test_sqlite_store_gives_a_hanging_disk_up_and_comes_back(
    tmp_path: Path, failures: Failures, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = SlowRuntime()
    path = tmp_path / "store.sqlite"
    async with SqliteStore(path, runtime, failures.append) as store:
        monkeypatch.setattr(_store, "WRITE_SECONDS", 0.05)
        runtime.hold.clear()
        store.namespace("a").put("key", b"value")
        await store.flush()
        assert [type(failure.cause) for failure in failures] == [TimeoutError]
        monkeypatch.setattr(_store, "WRITE_SECONDS", 5.0)
        runtime.hold.set()
        with anyio.fail_after(10):
            while rows(path) != [("a", "key", b"value")]:
                await anyio.sleep(0.01)
                await store.flush()


def test_sqlite_store_survives_kill_9(tmp_path: Path) -> None:
    code = f"""
import anyio, os
from pathlib import Path
from peerloom._runtime import SystemRuntime
from peerloom._store import SqliteStore
async def main():
    path = Path({str(tmp_path / "store.sqlite")!r})
    async with SqliteStore(path, SystemRuntime(), print) as store:
        for number in range(500):
            store.namespace("a").put(str(number), b"x" * 1000)
        await store.flush()
        print("flushed", flush=True)
        await anyio.sleep_forever()
anyio.run(main)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"flushed\n"
        process.send_signal(signal.SIGKILL)

    contents, damage = _store_file.StoreFile(tmp_path / "store.sqlite").load()
    assert damage is None
    assert len(contents["a"]) == 500


def rows(path: Path) -> list[tuple[str, str, bytes]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute("SELECT * FROM items ORDER BY namespace, key").fetchall()
    finally:
        connection.close()


def fail_once(monkeypatch: pytest.MonkeyPatch, error: sqlite3.Error) -> None:
    """Let the next write fail inside its transaction, as a disk would."""
    original = _store_file._apply

    def failing(*_: object) -> None:
        monkeypatch.setattr(_store_file, "_apply", original)
        raise error

    monkeypatch.setattr(_store_file, "_apply", failing)
