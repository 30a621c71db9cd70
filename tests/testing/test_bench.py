"""A bench runs plugins as a node does, but for the swarm, the clock and chance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest
from attrs import frozen

from peerloom import NoHandler, PluginError, ProtocolNotSupported, StreamError
from peerloom.plugin import (
    Command,
    ConfigSection,
    LinkLimits,
    PeerConnected,
    PeerDisconnected,
    PluginFailed,
    PluginInfo,
    hookimpl,
)
from peerloom.testing import FakeSwarm, ManualRuntime, until
from tests.testing.worlds import Keeper, Serving, echo

if TYPE_CHECKING:
    from peerloom.testing import Plugins


@frozen
class ClockConfig:
    step_seconds: float = 10.0


@frozen
class Count(Command[int]):
    pass


class Clock:
    """Counts how often its timer has fired."""

    info = PluginInfo("clock")

    @hookimpl
    def peerloom_config_sections(self):
        return [ConfigSection("clock", ClockConfig)]

    @hookimpl
    def peerloom_setup(self, ctx):
        self.ctx = ctx
        self.fired = []
        self._arm()

    @hookimpl
    def peerloom_command_handlers(self):
        return [Count.handled_by(lambda _: len(self.fired))]

    def _arm(self):
        self.ctx.wake_at(self.ctx.runtime.now() + self.ctx.config.step_seconds, self._fire)

    def _fire(self):
        self.fired.append(self.ctx.runtime.now())
        self._arm()


class Failing:
    info = PluginInfo("failing")

    @hookimpl
    def peerloom_event_handlers(self):
        return [PeerConnected.heard_by(self.fail)]

    def fail(self, event):
        raise ValueError("raised by a handler")


async def test_time_moves_only_by_hand_and_no_timer_is_skipped(plugins: Plugins) -> None:
    clock = Clock()
    async with plugins.running(clock) as bench:
        start = bench.runtime.now()
        await bench.advance(9.9)
        assert clock.fired == []
        await bench.advance(20.2)

    assert clock.fired == [start + 10, start + 20, start + 30]
    assert bench.runtime.now() == pytest.approx(start + 30.1)


async def test_settings_are_given_by_section(plugins: Plugins) -> None:
    clock = Clock()
    async with plugins.running(clock, settings={"clock": {"step_seconds": 1}}) as bench:
        await bench.advance(3)
        assert await bench.client.call(Count()) == 3


async def test_only_what_is_named_runs(plugins: Plugins) -> None:
    async with plugins.running(Keeper()) as bench:
        assert bench.context.name == "keeper"
        with pytest.raises(NoHandler):
            await bench.client.call(Count())
        with pytest.raises(PluginError, match="clock does not run on this bench"):
            bench.context_of("clock")


async def test_what_a_plugin_raises_is_raised(plugins: Plugins) -> None:
    async def run() -> None:
        async with plugins.running(Failing()) as bench:
            await bench.swarm.add_peer("ann").connect()
            await anyio.sleep_forever()

    with pytest.raises(ExceptionGroup) as raised:
        await run()

    assert raised.group_contains(ValueError, match="raised by a handler")


async def test_what_a_plugin_raises_is_isolated_unless_strict(plugins: Plugins) -> None:
    async with plugins.running(Failing(), strict=False) as bench:
        await bench.swarm.add_peer("ann").connect()
        failed = await bench.heard.next(PluginFailed)

        assert (failed.plugin, str(failed.cause)) == ("failing", "raised by a handler")
        assert bench.status("failing")["state"] == "running"


async def test_what_the_block_raises_comes_out_as_it_is(plugins: Plugins) -> None:
    with pytest.raises(LookupError):
        async with plugins.running(Clock()):
            raise LookupError


async def test_events_of_core_can_be_told(plugins: Plugins) -> None:
    async with plugins.running(Failing(), Keeper(), strict=False) as bench:
        info = await bench.swarm.add_peer("ann").connect()
        await bench.settle()
        before = len(bench.heard.of(PluginFailed))
        await bench.tell(PeerConnected(info.peer, info, 1))

        assert len(bench.heard.of(PluginFailed)) == before + 1


async def test_a_broken_plugin_is_refused(plugins: Plugins) -> None:
    for broken in (object(), Clock):
        with pytest.raises(PluginError):
            plugins.running(broken)
        with pytest.raises(PluginError):
            plugins.hooks(broken)


def test_hooks_can_be_called_alone(plugins: Plugins) -> None:
    [section] = plugins.hooks(Clock()).config_sections()

    assert section.config_class is ClockConfig


async def test_a_behaviour_alone_gets_a_context(plugins: Plugins) -> None:
    config = ClockConfig(step_seconds=3)
    async with plugins.context("my-unit", config) as bench:
        ctx = bench.context
        ctx.store("things").put("key", b"value")
        spawned = anyio.Event()

        async def run() -> None:
            spawned.set()

        ctx.spawn(run)
        await until(spawned.is_set)
        assert (ctx.name, ctx.config) == ("my-unit", config)
        assert ctx.store("things").get("key") == b"value"
        assert ctx.local_peer == ctx.identity.peer_id
        assert isinstance(ctx.swarm, FakeSwarm)
        assert isinstance(ctx.runtime, ManualRuntime)


async def test_a_gate_is_asked_by_the_fake_swarm(plugins: Plugins) -> None:
    keeper = Keeper()
    async with plugins.running(keeper) as bench:
        ann = bench.swarm.add_peer("ann")
        keeper.refuses = "connected"
        with pytest.raises(Exception, match="not at connected"):
            await ann.connect()


async def test_a_failing_swarm_fails_until_it_does_no_more(plugins: Plugins) -> None:
    keeper = Keeper()
    async with plugins.running(keeper) as bench:
        ann = bench.swarm.add_peer("ann", {"/echo/1": echo})
        bench.swarm.failing = True
        with pytest.raises(Exception, match="cannot connect"):
            await keeper.context.open_stream(ann.peer_id, ["/echo/1"])
        bench.swarm.failing = False
        async with await keeper.context.open_stream(ann.peer_id, ["/echo/1"]) as stream:
            await stream.send(b"x")
            assert await stream.receive() == b"x"


async def test_peers_are_the_same_for_the_same_name(plugins: Plugins) -> None:
    ids = []
    for _ in range(2):
        async with plugins.running(Keeper()) as bench:
            ids.append([bench.swarm.add_peer(name).peer_id for name in ("ann", "ben")])

    assert ids[0] == ids[1]
    assert len({*ids[0], bench.swarm.local_peer}) == 3


async def test_streams_of_a_peer_are_served_until_the_plugin_goes(plugins: Plugins) -> None:
    keeper = Keeper()
    async with plugins.running(keeper) as bench:
        ann = bench.swarm.add_peer("ann")
        bench.swarm.install("keeper", [Serving("/served/1", echo)], [])
        await (await ann.open_stream("/served/1")).aclose()
        bench.swarm.withdraw("keeper")
        with pytest.raises(ProtocolNotSupported):
            await ann.open_stream("/served/1")
        assert await ann.disconnect() == 1
        assert not (await bench.heard.next(PeerDisconnected)).intended


async def test_a_limited_connection_carries_only_what_may_run_on_it(plugins: Plugins) -> None:
    keeper = Keeper()
    async with plugins.running(keeper) as bench:
        ann = bench.swarm.add_peer("ann", {"/echo/1": echo})
        limited = Serving("/limited/1", echo, runs_on_limited=True)
        bench.swarm.install("keeper", [Serving("/served/1", echo), limited], [])
        await ann.connect(LinkLimits(data_bytes=1000))

        await (await ann.open_stream("/limited/1")).aclose()
        with pytest.raises(ProtocolNotSupported):
            await ann.open_stream("/served/1")
        ctx = keeper.context
        await (await ctx.open_stream(ann.peer_id, ["/echo/1"], allow_limited=True)).aclose()
        with pytest.raises(StreamError, match="only a limited connection"):
            await ctx.open_stream(ann.peer_id, ["/echo/1"])


async def test_chance_and_secrets_are_the_same_each_time() -> None:
    one, other = ManualRuntime(seed=5), ManualRuntime(seed=5)

    assert one.secret_bytes(8) == other.secret_bytes(8) != ManualRuntime(seed=6).secret_bytes(8)
    assert one.random.random() == other.random.random()
    assert await one.offload(lambda: "at once") == "at once"
