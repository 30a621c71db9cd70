"""Recorder and until: they wait, and they say what they saw."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest
from attrs import frozen

from peerloom.plugin import Event, PluginInfo, hookimpl
from peerloom.testing import Recorder, until
from peerloom.testing._recorder import MAX_RECORDED

if TYPE_CHECKING:
    from peerloom.testing import Bench, Plugins


@frozen
class Said(Event):
    text: str


@frozen
class Shouted(Said):
    """A subclass, which whoever hears Said hears as well."""


class Speaker:
    info = PluginInfo("speaker")

    @hookimpl
    def peerloom_setup(self, ctx):
        self.say = ctx.emit


async def say_later(bench: Bench, *events: Event) -> None:
    await anyio.wait_all_tasks_blocked()
    for event in events:
        bench.context.emit(event)


async def test_an_event_is_waited_for_and_taken_once(plugins: Plugins) -> None:
    async with plugins.running(Speaker()) as bench, anyio.create_task_group() as tasks:
        tasks.start_soon(say_later, bench, Said("one"), Said("two"))

        assert await bench.heard.next(Said) == Said("one")
        assert await bench.heard.next(Said) == Said("two")
        await bench.heard.nothing(Said)
        assert bench.heard.of(Said) == [Said("one"), Said("two")]


async def test_several_tasks_may_wait_at_once(plugins: Plugins) -> None:
    async with plugins.running(Speaker()) as bench:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(bench.heard.next, Shouted)
            tasks.start_soon(bench.heard.next, Said, lambda event: event.text == "two")
            await say_later(bench, Said("two"), Shouted("loudly"))

        await bench.heard.nothing(Said)


async def test_events_that_came_before_others_are_found_behind_them(plugins: Plugins) -> None:
    async with plugins.running(Speaker()) as bench:
        await say_later(bench, Said("quietly"), Shouted("loudly"))

        assert await bench.heard.next(Shouted) == Shouted("loudly")
        assert await bench.heard.next(Said) == Said("quietly")


async def test_an_event_may_have_to_match(plugins: Plugins) -> None:
    async with plugins.running(Speaker()) as bench:
        await say_later(bench, Said("one"), Said("two"))

        assert await bench.heard.next(Said, lambda event: event.text == "two") == Said("two")
        await bench.heard.nothing(Said, lambda event: event.text == "two")


async def test_several_come_in_order(plugins: Plugins) -> None:
    async with plugins.running(Speaker()) as bench, anyio.create_task_group() as tasks:
        tasks.start_soon(say_later, bench, Said("one"), Shouted("two"), Said("three"))

        texts = [event.text for event in await bench.heard.several(Said, 3)]
    assert texts == ["one", "two", "three"]


async def test_a_recorder_hears_its_types_from_its_beginning_to_its_end(plugins: Plugins) -> None:
    async with plugins.running(Speaker()) as bench:
        await say_later(bench, Said("before"))
        await bench.settle()
        with Recorder(bench.client, Shouted) as heard:
            await say_later(bench, Said("quietly"), Shouted("within"))
            await bench.settle()
        await say_later(bench, Shouted("after"))
        await bench.settle()

    assert heard.seen == [Shouted("within")]


async def test_what_did_not_come_is_told_with_what_came(plugins: Plugins) -> None:
    async with plugins.running(Speaker()) as bench:
        await say_later(bench, Said("one"), Said("two"), Shouted("three"))
        await bench.heard.next(Said)
        with pytest.raises(AssertionError) as raised:
            await bench.heard.next(Shouted, lambda event: event.text == "four", within=0.01)

    [first, *listed] = str(raised.value).splitlines()
    assert "no Shouted that matches <lambda> (test_recorder.py:" in first
    assert "within 0.01 s; it heard 2 Said, 1 Shouted:" in first
    assert listed == [
        "  1. Said(text='one') (taken)",
        "  2. Said(text='two')",
        "  3. Shouted(text='three')",
    ]


async def test_too_few_are_counted(plugins: Plugins) -> None:
    async with plugins.running(Speaker()) as bench:
        await say_later(bench, Said("one"))
        await bench.settle()
        with pytest.raises(AssertionError, match=r"1 and not 2 Said within 0\.01 s; it heard 1 S"):
            await bench.heard.several(Said, 2, within=0.01)


async def test_what_should_not_come_is_shown(plugins: Plugins) -> None:
    async with plugins.running(Speaker()) as bench:
        await say_later(bench, Said("one"))
        await bench.settle()
        with pytest.raises(AssertionError, match=r"none should come: Said\(text='one'\); it heard"):
            await bench.heard.nothing(Said)


async def test_who_waits_learns_that_the_node_has_stopped(plugins: Plugins) -> None:
    async with plugins.running(Speaker()) as bench:
        heard = bench.heard

    with pytest.raises(AssertionError, match="no Said before the node stopped; it heard nothing"):
        await heard.next(Said)


async def test_long_lists_and_long_events_are_cut(plugins: Plugins) -> None:
    async with plugins.running(Speaker()) as bench:
        for number in range(MAX_RECORDED + 2):
            bench.heard.offer(Said("x" * 1000 if number > 100 else "x"))
        text = str(bench.heard)

    assert f"it heard {MAX_RECORDED} Said; 2 more were not recorded" in text
    assert len(text) < 10_000


async def test_a_condition_gives_what_it_accepts() -> None:
    numbers = iter(range(100))

    assert await until(lambda: next(numbers), lambda number: number > 3) == 4
    assert await until(lambda: next(numbers)) == 5


async def test_a_condition_may_be_asked_asynchronously() -> None:
    numbers = iter([0, 0, 7])

    async def ask() -> int:
        await anyio.lowlevel.checkpoint()
        return next(numbers)

    assert await until(ask) == 7


async def test_a_condition_says_what_it_saw() -> None:
    numbers = iter([1, 1, 2])

    async def ask() -> int:
        number = next(numbers, 0)
        if not number:
            await anyio.sleep_forever()
        return number

    with pytest.raises(AssertionError) as raised:
        await until(ask, lambda number: number > 2, within=0.3)

    text = str(raised.value)
    assert "ask (test_recorder.py:" in text
    assert "judged by <lambda> (test_recorder.py:" in text
    assert "did not hold within 0.3 s; it saw in turn: 1 (2 times), then 2" in text


async def test_a_condition_whose_look_never_ends_says_so() -> None:
    with pytest.raises(AssertionError, match="the first look has not ended"):
        await until(anyio.sleep_forever, within=0.01)


async def test_what_a_look_raises_is_no_condition() -> None:
    with pytest.raises(ZeroDivisionError):
        await until(lambda: 1 / 0)
