"""What tasks wait for that need something to become true."""

from __future__ import annotations

import anyio

from peerloom_gossipsub._change import Change


async def test_all_who_wait_go_on_when_what_they_wait_for_is_true_and_not_before():
    change, level, gone = Change(), 0, []

    async def wait(wanted):
        await change.until(lambda: level >= wanted)
        gone.append(wanted)

    async with anyio.create_task_group() as tasks:
        for wanted in (1, 2, 1):
            tasks.start_soon(wait, wanted)
        for level, through in ((0, []), (1, [1, 1]), (2, [1, 1, 2])):  # noqa: B007 - `wait` reads it
            await anyio.wait_all_tasks_blocked()
            change.tell()
            await anyio.wait_all_tasks_blocked()
            assert gone == through


async def test_what_is_true_already_is_not_waited_for():
    change = Change()
    with anyio.fail_after(5):
        await change.until(lambda: True)
        change.tell()  # nobody waits
        await change.until(lambda: True)


async def test_who_gives_up_waiting_keeps_nobody_from_it():
    change, is_true = Change(), False
    with anyio.move_on_after(0.0):
        await change.until(lambda: is_true)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(change.until, lambda: is_true)
            await anyio.wait_all_tasks_blocked()
            is_true = True
            change.tell()
