"""The pass rule itself: what it forgives, and what it does not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import anyio
import pytest

from tests.hostile.siege import HARMLESS_SECONDS, measured, siege
from tests.hostile.ways import TCP_TLS

if TYPE_CHECKING:
    from tests.hostile.siege import Siege

STALL_SECONDS = 2 * HARMLESS_SECONDS


async def _stall(scene: Siege, times: int) -> None:
    async with measured(scene):
        for _ in range(times):
            await anyio.sleep(HARMLESS_SECONDS)
            time.sleep(STALL_SECONDS)  # noqa: ASYNC251 - as if nobody had run meanwhile


async def _compute(scene: Siege) -> None:
    async with measured(scene):
        await anyio.sleep(HARMLESS_SECONDS)
        until = time.thread_time() + 2 * STALL_SECONDS
        while time.thread_time() < until:
            pass


async def test_a_machine_that_stands_still_once_is_forgiven() -> None:
    async with siege(TCP_TLS) as scene:
        await _stall(scene, 1)


async def test_a_node_that_answers_late_again_and_again_is_not() -> None:
    async with siege(TCP_TLS) as scene:
        with pytest.raises(AssertionError, match="p99 of"):
            await _stall(scene, 10)


async def test_a_node_that_computes_for_long_is_not_even_once() -> None:
    async with siege(TCP_TLS) as scene:
        with pytest.raises(AssertionError, match="loop held for"):
            await _compute(scene)
