"""Whatever a plugin raises in a handler: the node lives, says so, and goes on."""

from __future__ import annotations

import logging
from asyncio import CancelledError
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from attrs import frozen
from multiaddr import Multiaddr

from peerloom._config import ConfigSection
from peerloom._dispatch import CommandHandler, EventHandler
from peerloom._errors import NoHandler, PluginError
from peerloom._events import PluginFailed
from peerloom._plugin_host import PluginHost
from peerloom._plugins import Candidate, Inventory, given_candidate, load_plugins
from peerloom.testing import until
from tests.core.plugin_kit import (
    ALICE,
    ERRORS,
    Bench,
    Echo,
    Said,
    hook_raising,
    incoming,
    plugin,
    raising,
    running,
    serving,
    state_of,
    with_context,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


class TestEventHandlers:
    @pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
    async def test_raising_one_is_reported_and_stays(self, error: BaseException) -> None:
        heard: list[str] = []
        one = plugin(event_handlers=lambda ctx: [Said.heard_by(raising(error))])
        two = plugin(
            "two", event_handlers=lambda ctx: [Said.heard_by(lambda e: heard.append(e.text))]
        )
        async with running(one, two) as bench:
            await bench.tell(Said("1"))
            await bench.tell(Said("2"))
            failed = await bench.recorder.several(PluginFailed, 2)
            assert state_of(bench) == "running"
        assert heard == ["1", "2"]
        assert failed[0].plugin == "alpha"
        assert failed[0].where == "event handler function for Said"
        assert not failed[0].stopped

    async def test_is_logged_once_a_minute_for_one_place(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        one = plugin(event_handlers=lambda ctx: [Said.heard_by(raising(ValueError("boom")))])
        async with running(one) as bench:
            for _ in range(3):
                await bench.tell(Said(""))
            await bench.recorder.several(PluginFailed, 3)
            assert len(caplog.records) == 1
            bench.runtime.advance(61)
            await bench.tell(Said(""))
            await bench.recorder.next(PluginFailed)
        assert len(caplog.records) == 2
        text = caplog.records[0].getMessage()
        assert "\n" not in text
        assert text.startswith("Plugin alpha (given to the node, from ")
        assert "ValueError: boom" in text

    async def test_raising_one_that_hears_of_failures_does_not_go_round_for_ever(self) -> None:
        one = plugin(
            event_handlers=lambda ctx: [
                PluginFailed.heard_by(raising(ValueError())),
                Said.heard_by(raising(ValueError())),
            ]
        )
        async with running(one) as bench:
            await bench.tell(Said(""))
            await bench.settle()
            await bench.recorder.next(PluginFailed)
            assert len(bench.recorder.of(PluginFailed)) == 1
            assert bench.loop.failures.count == 2


class TestCancellationThatNobodyAskedFor:
    """As when a plugin asks a cancelled asyncio task for its result."""

    async def test_of_an_event_handler_is_reported_and_the_loop_goes_on(self) -> None:
        one = plugin(event_handlers=lambda ctx: [Said.heard_by(raising(CancelledError()))])
        async with running(one) as bench:
            await bench.tell(Said("1"))
            await bench.tell(Said("2"))
            failed = await bench.recorder.several(PluginFailed, 2)
        assert "CancelledError, although nobody cancels it" in str(failed[0].cause)

    @pytest.mark.parametrize("hook", ["setup", "behaviours", "lifespan"])
    async def test_of_a_hook_fails_only_its_plugin(self, hook: str) -> None:
        hooks: dict[str, Any] = {hook: hook_raising(CancelledError())}
        async with running(plugin("bad", **hooks), plugin("good")) as bench:
            assert (state_of(bench, "bad"), state_of(bench, "good")) == ("waiting", "running")

    @pytest.mark.parametrize("entered", [False, True], ids=["entering", "leaving"])
    async def test_of_a_lifespan_fails_only_its_plugin(self, entered: bool) -> None:  # noqa: FBT001
        @asynccontextmanager
        async def lifespan(ctx: Any) -> AsyncIterator[None]:
            if entered:
                yield
            raise CancelledError

        async with running(plugin("bad", lifespan=lifespan), plugin("good")) as bench:
            wanted = "running" if entered else "waiting"
            assert (state_of(bench, "bad"), state_of(bench, "good")) == (wanted, "running")
            assert bench.loop.failures.count == (0 if entered else 1)
        assert bench.loop.failures.count == 1

    async def test_of_a_task_builds_the_plugin_anew(self) -> None:
        async def give_up() -> None:
            raise CancelledError

        one = with_context()
        async with running(one) as bench:
            one.ctx.spawn(give_up)
            failed = await bench.recorder.next(PluginFailed)
            assert failed.where == "task give_up"
            await until(lambda: state_of(bench) == "waiting")

    async def test_of_a_stream_handler_resets_its_stream(self) -> None:
        async def handler(stream: Any) -> None:
            raise CancelledError

        async with running(plugin(behaviours=serving(handler))) as bench:
            item, stream = incoming(handler)
            bench.loop.incoming_streams.try_put(item)
            await bench.recorder.next(PluginFailed)
            assert stream.was_reset
            assert state_of(bench) == "running"

    async def test_of_a_gate_refuses(self) -> None:
        one = plugin(gate=lambda peer: raising(CancelledError())())
        async with running(one) as bench:
            assert bench.host.gate("dial", ALICE, Multiaddr("/memory/1")) is not None
            await bench.recorder.next(PluginFailed)


class TestConflicts:
    async def test_taken_protocol_id_stops_the_later_and_names_both_distributions(self) -> None:
        async def handler(stream: Any) -> None: ...

        inventory = load_plugins(
            [
                Candidate(
                    name, f"dist-{name}", "1.0", partial(plugin, name, behaviours=serving(handler))
                )
                for name in ("one", "two")
            ]
        )
        async with running(inventory=inventory) as bench:
            assert (state_of(bench, "one"), state_of(bench, "two")) == ("running", "failed")
            cause = bench.host.status()["plugins"]["two"]["cause"]
            assert "two (dist-two 1.0) accepts the protocol /test/1" in cause
            assert "one (dist-one 1.0)" in cause
            assert bench.swarm.installed == {"one": ("/test/1",)}

    async def test_taken_command_stops_the_later(self) -> None:
        async def answer(command: Echo) -> str:
            return "one"

        def handlers(ctx: Any) -> list[Any]:
            return [Echo.handled_by(answer)]

        one, two = (plugin(name, command_handlers=handlers) for name in ("one", "two"))
        async with running(one, two) as bench:
            assert state_of(bench, "two") == "failed"
            assert await bench.client.call(Echo("")) == "one"

    async def test_handler_that_cannot_serve_stops_its_plugin_before_it_is_registered(self) -> None:
        def plain(command: Echo) -> Iterator[str]:
            yield command.text

        def events(ctx: Any) -> list[Any]:
            return [EventHandler("x", None)]  # type: ignore[arg-type]

        deaf = with_context("deaf", event_handlers=events)
        plain_one = with_context(
            "plain",
            behaviours=serving(plain),
            command_handlers=lambda ctx: [CommandHandler(Echo, plain)],
        )
        async with running(deaf, plain_one) as bench:
            failed = await bench.recorder.several(PluginFailed, 2)
            assert [event.stopped for event in failed] == [True, True]
            assert (len(deaf.contexts), len(plain_one.contexts)) == (1, 1)
            assert "plugin deaf (given to the node, from" in str(failed[0].cause)
            assert "the command handler plain for Echo is a generator" in str(failed[1].cause)
            assert not bench.swarm.installed
            with pytest.raises(NoHandler):
                await bench.client.call(Echo(""))

    async def test_protocol_taken_in_the_swarm_leaves_nothing_installed(self) -> None:
        async def handler(stream: Any) -> None: ...

        async def answer(command: Echo) -> str:
            return ""

        one = plugin(
            behaviours=serving(handler), command_handlers=lambda ctx: [Echo.handled_by(answer)]
        )
        bench = Bench()
        bench.swarm.install("core", serving(handler)(None), [])
        host = PluginHost(load_plugins([given_candidate(one)]), bench.loop, bench.services, {})
        async with host:
            assert host.status()["plugins"]["alpha"]["state"] == "failed"
            assert not bench.loop.command_table.handlers_of(Echo)


class TestBounds:
    async def test_tasks_and_replies_of_a_plugin_are_bounded(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("peerloom._plugin_life.MAX_TASKS", 2)
        monkeypatch.setattr("peerloom._plugin_life.MAX_REPLIES", 1)
        one = with_context()
        async with running(one):
            one.ctx.spawn(anyio.sleep_forever)
            one.ctx.spawn(anyio.sleep_forever)
            with pytest.raises(PluginError, match="runs 2 tasks"):
                one.ctx.spawn(anyio.sleep_forever)
            reply = one.ctx.reply()
            with pytest.raises(PluginError, match="1 open replies"):
                one.ctx.reply()
            reply.set(None)
            one.ctx.reply()

    async def test_ended_tasks_make_room(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("peerloom._plugin_life.MAX_TASKS", 1)
        one = with_context()
        async with running(one):
            for _ in range(3):
                done = anyio.Event()

                async def task(done: anyio.Event = done) -> None:
                    done.set()

                one.ctx.spawn(task)
                await done.wait()
                await anyio.wait_all_tasks_blocked()


class TestStrict:
    @pytest.mark.parametrize("place", ["task", "timer", "stream", "setup"])
    async def test_raises_out_of_the_node(self, place: str) -> None:
        async def fail(*_: Any) -> None:
            raise ValueError(place)

        one = with_context() if place != "setup" else plugin(setup=hook_raising(ValueError(place)))
        with pytest.RaisesGroup(pytest.RaisesExc(ValueError, match=place), flatten_subgroups=True):
            async with running(one, strict=True) as bench:
                if place == "task":
                    one.ctx.spawn(fail)
                elif place == "timer":
                    one.ctx.wake_at(0, raising(ValueError(place)))
                elif place == "stream":
                    bench.loop.incoming_streams.try_put(incoming(fail)[0])
                await anyio.sleep_forever()


class TestHost:
    async def test_what_its_block_raises_comes_out_as_it_is(self) -> None:
        bench = Bench()
        with pytest.raises(ValueError, match="the application's own"):
            async with PluginHost(Inventory(), bench.loop, bench.services, {}):
                raise ValueError("the application's own")

    async def test_broken_plugins_are_told_in_one_paragraph(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        inventory = load_plugins(
            [Candidate("bad", "some-dist", "3.1", raising(ImportError("no x")))]
        )
        with caplog.at_level(logging.WARNING, "peerloom.plugins"):
            async with running(inventory=inventory) as bench:
                failed = await bench.recorder.next(PluginFailed)
                told = bench.host.status()["broken"]
        assert (failed.plugin, failed.where, failed.stopped) == ("bad", "loading", True)
        assert caplog.records[-1].getMessage() == (
            "Plugin bad (some-dist 3.1) is not used: ImportError: no x. "
            "The node goes on without it."
        )
        assert told[0]["version"] == "3.1"

    async def test_plugins_get_their_settings(self) -> None:
        @frozen
        class Settings:
            number: int = 1

        def sections() -> list[ConfigSection]:
            return [ConfigSection("alpha", Settings)]

        one = with_context(config_sections=sections)
        async with running(one):
            assert one.ctx.config == Settings(1)
        async with running(one, settings={"alpha": Settings(2)}):
            assert one.ctx.config == Settings(2)
        two = with_context(config_sections=lambda: [ConfigSection(n, Settings) for n in ("x", "y")])
        async with running(two):
            assert two.ctx.config == {"x": Settings(), "y": Settings()}
        three = with_context()
        async with running(three):
            assert three.ctx.config is None

    async def test_context_hands_on_to_swarm_store_and_client(self) -> None:
        async def answer(command: Echo) -> str:
            return command.text

        one = with_context(command_handlers=lambda ctx: [Echo.handled_by(answer)])
        async with running(one) as bench:
            assert one.ctx.store("peers") is bench.services.store.namespace("alpha.peers")
            assert one.ctx.connections() == ()
            assert one.ctx.local_peer == bench.swarm.local_peer
            assert await one.ctx.call(Echo("x")) == "x"
