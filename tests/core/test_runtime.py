"""Runtime: the system's clock, chance and threads."""

from __future__ import annotations

import threading
import time

import anyio
import pytest

from peerloom._runtime import Runtime, SystemRuntime


async def test_now_is_the_clock_that_timeouts_use() -> None:
    runtime: Runtime = SystemRuntime()

    before = runtime.now()
    with anyio.move_on_after(0.02) as scope:
        await anyio.sleep_forever()

    assert before <= scope.deadline - 0.02 <= runtime.now()


async def test_clock_of_the_running_loop_is_the_same() -> None:
    before = anyio.current_time()
    assert before <= SystemRuntime.of_running_loop().now() <= anyio.current_time()


def test_wall_time_is_the_time_of_day() -> None:
    assert abs(SystemRuntime().wall_time() - time.time()) < 5


def test_secret_bytes_are_as_many_as_asked_for_and_differ() -> None:
    runtime = SystemRuntime()

    assert len(runtime.secret_bytes(32)) == 32
    assert runtime.secret_bytes(32) != runtime.secret_bytes(32)


async def test_offload_runs_elsewhere_and_gives_result_or_error() -> None:
    runtime = SystemRuntime()

    assert await runtime.offload(threading.get_ident) != threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        await runtime.offload(lambda: 1 // 0)


async def test_offload_lets_its_caller_be_cancelled() -> None:
    release = threading.Event()
    with anyio.move_on_after(0.02) as scope:
        await SystemRuntime().offload(lambda: release.wait(10))
    release.set()

    assert scope.cancelled_caught
