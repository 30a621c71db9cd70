"""Whatever a plugin raises in a hook: it is named, and the node starts or goes on."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from multiaddr import Multiaddr

from peerloom._events import PluginFailed
from peerloom._plugin_host import PluginHost
from peerloom._plugins import given_candidate, load_plugins
from peerloom.testing import until
from tests.core.plugin_kit import (
    ALICE,
    BOB,
    ERRORS,
    Bench,
    Said,
    hook_raising,
    plugin,
    raising,
    running,
    state_of,
    with_context,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class TestHooks:
    @pytest.mark.parametrize(
        "hook",
        [
            "setup",
            "behaviours",
            "transports",
            "event_handlers",
            "command_handlers",
            "lifespan",
        ],
    )
    @pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
    async def test_raising_one_fails_only_its_plugin(self, hook: str, error: BaseException) -> None:
        hooks: dict[str, Any] = {hook: hook_raising(error)}
        bad = plugin("bad", **hooks)
        async with running(bad, plugin("good")) as bench:
            assert (state_of(bench, "bad"), state_of(bench, "good")) == ("waiting", "running")
            failed = await bench.recorder.next(PluginFailed)
            assert failed.where == f"hook peerloom_{hook}"

    @pytest.mark.parametrize(
        ("hook", "result", "complaint"),
        [
            ("event_handlers", ["text"], "not EventHandler"),
            ("event_handlers", 3, "not a list"),
            ("command_handlers", [Said], "not CommandHandler"),
            ("lifespan", 3, "not an async context manager"),
        ],
    )
    async def test_wrong_result_stops_the_plugin_for_good(
        self, hook: str, result: Any, complaint: str
    ) -> None:
        hooks: dict[str, Any] = {hook: lambda ctx: result}
        async with running(plugin(**hooks)) as bench:
            assert state_of(bench) == "failed"
            assert complaint in bench.host.status()["plugins"]["alpha"]["cause"]

    async def test_raising_status_is_reported_and_the_rest_is_told(self) -> None:
        bad = plugin("bad", status=hook_raising(ValueError()))
        good = plugin("good", status=lambda ctx: {"peers": 3})
        async with running(bad, good) as bench:
            told = bench.host.status()["plugins"]
            assert told["good"]["report"] == {"peers": 3}
            assert told["bad"]["state"] == "running"
            await bench.recorder.next(PluginFailed)

    async def test_gate_refuses_by_a_reason_and_when_it_fails(self) -> None:
        def choosy(peer: Any) -> str | None:
            return "no bobs" if peer is BOB else None

        async with running(plugin(gate=choosy)) as bench:
            assert bench.host.gate("dial", BOB, None) == "no bobs"  # type: ignore[arg-type]
            assert bench.host.gate("dial", ALICE, None) is None  # type: ignore[arg-type]

        def broken(peer: Any) -> str | None:
            raise ValueError

        async with running(plugin(gate=broken)) as bench:
            reason = bench.host.gate("dial", BOB, None)  # type: ignore[arg-type]
            assert reason == "the gate of plugin alpha failed"
            await bench.recorder.next(PluginFailed)

    async def test_gate_of_a_plugin_that_does_not_run_refuses_all(self) -> None:
        def ask() -> str | None:
            reason: str | None = bench.host.gate("dial", ALICE, Multiaddr("/memory/1"))
            return reason

        one = with_context(gate=lambda peer: None)
        async with running(one, plugin("two", gate=lambda peer: None)) as bench:
            assert ask() is None
            for wait in (1, 2, 4, 8):
                one.ctx.wake_at(0, raising(ValueError()))
                await until(lambda: state_of(bench) == "waiting")
                reason = ask()
                assert reason is not None
                assert reason.startswith("the gate of plugin alpha (given to the node")
                assert reason.endswith("is closed: it failed and is being restarted")
                bench.runtime.advance(wait)
                await until(lambda: state_of(bench) == "running")
                assert ask() is None
            one.ctx.wake_at(0, raising(ValueError()))
            await until(lambda: state_of(bench) == "failed")
            assert "it failed and stays stopped; disable it" in (ask() or "")

    async def test_gate_of_a_plugin_that_is_entered_or_left_refuses_all(self) -> None:
        asked: list[str | None] = []

        @asynccontextmanager
        async def lifespan(ctx: Any) -> AsyncIterator[None]:
            asked.append(hosts[0].gate("accept", None, Multiaddr("/memory/1")))
            yield
            asked.append(hosts[0].gate("accept", None, Multiaddr("/memory/1")))

        bench = Bench()
        inventory = load_plugins(
            [given_candidate(plugin(lifespan=lifespan, gate=lambda peer: None))]
        )
        hosts = [PluginHost(inventory, bench.loop, bench.services, {})]
        async with hosts[0]:
            assert hosts[0].gate("accept", None, Multiaddr("/memory/1")) is None
        assert "it is starting" in str(asked[0])
        assert "it is being stopped" in str(asked[1])

    async def test_gate_of_a_plugin_that_is_disabled_is_not_asked(self) -> None:
        one = plugin(gate=lambda peer: "nobody")
        left_out = {"alpha": "disabled"}
        async with running(inventory=load_plugins([given_candidate(one)], left_out)) as bench:
            assert bench.host.gate("dial", ALICE, Multiaddr("/memory/1")) is None
