"""Many tasks that are awake at once let the rest of the node in between."""

from __future__ import annotations

import anyio
from anyio.lowlevel import checkpoint

from peerloom._swarm._turns import Turns

MOST = 4
TASKS = 50


async def test_no_more_steps_are_done_in_a_round_of_the_loop_than_said() -> None:
    turns, steps = Turns(MOST), 0
    rounds: list[int] = []

    async def work() -> None:
        nonlocal steps
        for _ in range(2):
            await turns.take()
            steps += 1

    async with anyio.create_task_group() as tasks:
        for _ in range(TASKS):
            tasks.start_soon(work)
        while steps < 2 * TASKS:
            before = steps
            await checkpoint()
            rounds.append(steps - before)

    assert steps == 2 * TASKS
    # A round of this task may hold the end of one of theirs and the beginning of the next.
    assert max(rounds) <= 2 * MOST
    assert len(rounds) >= 2 * TASKS // (2 * MOST)


async def test_who_is_cancelled_while_it_waits_takes_no_turn() -> None:
    turns = Turns(1)
    await turns.take()
    with anyio.move_on_after(0):
        await turns.take()
    with anyio.fail_after(5):
        await turns.take()


async def test_a_step_that_is_left_needs_no_waiting() -> None:
    turns, others = Turns(MOST), 0

    async def other() -> None:
        nonlocal others
        others += 1

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(other)
        for _ in range(MOST):
            await turns.take()
        assert others == 0
