"""Wakeups, on asyncio and on trio."""

from __future__ import annotations

import anyio
from anyio.lowlevel import checkpoint

from peerloom._muxers._wakeup import Wakeup, wakeup_kind


async def wait_and_note(wakeup: Wakeup, woken: list[int], number: int) -> None:
    await wakeup.wait()
    woken.append(number)


async def settle() -> None:
    for _ in range(5):
        await checkpoint()


async def test_all_that_wait_are_woken_once() -> None:
    wakeup, woken = wakeup_kind()(), list[int]()
    async with anyio.create_task_group() as tasks:
        for number in range(4):
            tasks.start_soon(wait_and_note, wakeup, woken, number)
        await settle()
        wakeup.set()
        await settle()
        assert sorted(woken) == [0, 1, 2, 3]
        wakeup.set()
        await settle()
        assert sorted(woken) == [0, 1, 2, 3]


async def test_set_before_the_wait_is_not_remembered() -> None:
    wakeup = wakeup_kind()()
    wakeup.set()
    with anyio.move_on_after(0.01) as scope:
        await wakeup.wait()
    assert scope.cancelled_caught


async def test_one_that_waits_again_is_woken_again() -> None:
    wakeup, woken = wakeup_kind()(), list[int]()

    async def twice() -> None:
        await wait_and_note(wakeup, woken, 1)
        await wait_and_note(wakeup, woken, 2)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(twice)
        await settle()
        for expected in ([1], [1, 2]):
            wakeup.set()
            await settle()
            assert woken == expected


async def test_who_gave_up_takes_nobody_along() -> None:
    """The first and one in the middle are cancelled; the others are still woken."""
    wakeup, woken = wakeup_kind()(), list[int]()
    scopes = [anyio.CancelScope() for _ in range(4)]

    async def within(number: int) -> None:
        with scopes[number]:
            await wait_and_note(wakeup, woken, number)

    async with anyio.create_task_group() as tasks:
        for number in range(4):
            tasks.start_soon(within, number)
        await settle()
        scopes[0].cancel()
        scopes[2].cancel()
        await settle()
        tasks.start_soon(wait_and_note, wakeup, woken, 4)
        await settle()
        wakeup.set()
        await settle()
        assert sorted(woken) == [1, 3, 4]


async def test_set_and_cancelled_in_the_same_turn() -> None:
    wakeup = wakeup_kind()()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait_and_note, wakeup, list[int](), 1)
        await settle()
        tasks.cancel_scope.cancel()
        wakeup.set()
    wakeup.set()
