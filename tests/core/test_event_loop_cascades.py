"""The event loop: handlers whose events lead to more of them, without end."""

from __future__ import annotations

from typing import Any

from peerloom._event_loop import (
    MAX_CASCADE,
)
from peerloom._events import Event, Lagged, PluginFailed
from tests.core.plugin_kit import (
    Said,
    hears,
    plugin,
    raising,
    running,
    with_context,
)


async def test_endless_cascade_stops_its_plugin_and_no_other() -> None:
    def setup(ctx: Any) -> None:
        circle.ctx = ctx

    heard: list[Event] = []
    circle = plugin(
        "circle",
        setup=setup,
        event_handlers=hears(Said.heard_by(lambda e: circle.ctx.emit(Said("again")))),
    )
    other = plugin("other", event_handlers=hears(Said.heard_by(heard.append)))
    async with running(circle, other) as bench:
        await bench.tell(Said("start"))
        failed = await bench.recorder.next(PluginFailed)
        assert (failed.plugin, failed.stopped) == ("circle", True)
        assert len(heard) == MAX_CASCADE + 1
        await bench.tell(Said("after"))
        await bench.settle()
        assert len(heard) == MAX_CASCADE + 2
        states = {name: one["state"] for name, one in bench.host.status()["plugins"].items()}
    assert states == {"circle": "failed", "other": "running"}


async def test_plugins_that_answer_each_other_for_ever_are_stopped() -> None:
    def build(name: str, hears_: type[Event], says: type[Said]) -> Any:
        def setup(ctx: Any) -> None:
            one.ctx = ctx

        one = plugin(
            name,
            setup=setup,
            event_handlers=hears(hears_.heard_by(lambda e: one.ctx.emit(says("x")))),
        )
        return one

    class Hit(Said):
        pass

    class Back(Said):
        pass

    async with running(build("a", Hit, Back), build("b", Back, Hit)) as bench:
        await bench.tell(Hit("go"))
        await bench.recorder.next(PluginFailed)
        await bench.settle()
        states = [one["state"] for one in bench.host.status()["plugins"].values()]
    assert sorted(states) == ["failed", "running"]


async def test_handler_of_a_failure_may_lead_to_other_events_of_core() -> None:
    one: Any = with_context(
        event_handlers=hears(
            Said.heard_by(raising(ValueError())),
            PluginFailed.heard_by(lambda e: bench.loop.announce(Lagged(1))),
        )
    )
    async with running(one) as bench:
        await bench.tell(Said(""))
        await bench.recorder.next(Lagged)


async def test_endless_cascade_through_events_of_core_stops_the_plugin_that_leads_to_them() -> None:
    one = plugin(event_handlers=hears(Said.heard_by(lambda e: bench.loop.announce(Said("again")))))
    async with running(one, plugin("other")) as bench:
        await bench.tell(Said("start"))
        failed = await bench.recorder.next(PluginFailed)
        assert (failed.plugin, failed.stopped) == ("alpha", True)
