"""What a simulated network does with time, bytes and connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from peerloom import (
    ConfigError,
    DialFailed,
    ListenFailed,
    NetworkConfig,
    Node,
    NodeClosed,
    NoHandler,
    PeerConnected,
    PluginError,
)
from peerloom.plugin import FindPeer
from peerloom.testing import SimulatedNetwork, SimulatedNode

from .sink import MIB, Sink, seconds_to_send

if TYPE_CHECKING:
    from random import Random

    from peerloom.testing._simulated._network import Security


# -- time


def test_ping_takes_twice_the_latency() -> None:
    async def scenario(network: SimulatedNetwork) -> float:
        ann, ben = await network.start(2)
        await ann.dial(ben)
        assert network.latency(ann, ben) == 0.125
        await ann.client.ping(ben.peer_id)  # the first one opens its stream
        return await ann.client.ping(ben.peer_id)

    assert SimulatedNetwork(latency=0.125).run(scenario) == 0.25


def test_latency_is_drawn_for_each_pair_by_the_seed_alone() -> None:
    async def scenario(network: SimulatedNetwork) -> list[float]:
        ann, ben, cid = (network.node(name) for name in ("ann", "ben", "cid"))
        return [network.latency(*pair) for pair in ((ann, ben), (ben, ann), (ben, cid), (ann, cid))]

    def latencies(seed: int) -> list[float]:
        return SimulatedNetwork(seed, latency=lambda it: it.uniform(0.1, 0.3)).run(scenario)

    there, back, *others = latencies(1)
    assert there == back
    assert len({there, *others}) == 3
    assert all(0.1 <= one <= 0.3 for one in (there, *others))
    assert latencies(1) == [there, back, *others] != latencies(2)


def test_jitter_comes_on_top_and_nothing_is_overtaken() -> None:
    async def scenario(network: SimulatedNetwork) -> list[float]:
        ann, ben = await network.start(2)
        await ann.dial(ben)
        return [await ann.client.ping(ben.peer_id) for _ in range(20)]

    def jitter(chance: Random) -> float:
        return chance.uniform(0.0, 0.5)

    first, *pings = SimulatedNetwork(latency=0.125, jitter=jitter).run(scenario)
    assert first >= 0.25
    assert len(set(pings)) == len(pings)
    assert all(0.25 <= ping <= 1.25 for ping in pings)


def test_hours_pass_in_a_moment() -> None:
    async def scenario(network: SimulatedNetwork) -> float:
        await network.start(1)
        await anyio.sleep(6 * 3600)
        return network.now

    assert SimulatedNetwork(record=()).run(scenario) == 6 * 3600


# -- bytes


@pytest.mark.parametrize(("rates", "bound"), [((MIB, MIB), MIB), ((MIB, MIB // 4), MIB // 4)])
def test_transfer_takes_as_long_as_the_slower_host_needs(
    rates: tuple[int, int], bound: int
) -> None:
    async def scenario(network: SimulatedNetwork) -> float:
        ann = await network.node("ann", bandwidth=rates[0]).start()
        ben = await network.node("ben", bandwidth=rates[1], plugins=[Sink]).start()
        await ann.dial(ben)
        return await seconds_to_send(network, ann, ben, 8 * MIB)

    took = SimulatedNetwork(latency=0.01).run(scenario)
    least = 8 * MIB / bound
    assert least <= took <= 1.02 * least + 0.1  # headers, and the latencies


def test_transfers_share_the_bandwidth_of_a_host() -> None:
    async def scenario(network: SimulatedNetwork) -> list[float]:
        ann = await network.node("ann", bandwidth=MIB).start()
        others = await network.start(2, plugins=[Sink])
        took: list[float] = []

        async def send(other: SimulatedNode) -> None:
            took.append(await seconds_to_send(network, ann, other, 2 * MIB))

        for other in others:
            await ann.dial(other)
        async with anyio.create_task_group() as tasks:
            for other in others:
                tasks.start_soon(send, other)
        return took

    first, last = SimulatedNetwork(latency=0.01).run(scenario)
    assert first > 3  # alone it would have needed two seconds
    assert 4 <= last <= 4.2


def test_sender_waits_for_its_hosts_line_however_many_send() -> None:
    async def scenario(network: SimulatedNetwork) -> float:
        ann = await network.node("ann", bandwidth=MIB).start()
        others = await network.start(4, plugins=[Sink])
        for other in others:
            await ann.dial(other)
        async with anyio.create_task_group() as tasks:
            for other in others:
                tasks.start_soon(seconds_to_send, network, ann, other, 4 * MIB)
            most = 0.0
            for _ in range(100):
                await anyio.sleep(0.1)
                most = max(most, ann._host.unsent_bytes(network.now))
        return most

    assert SimulatedNetwork(latency=0.01).run(scenario) < 320 * 1024


def test_without_a_bound_a_transfer_waits_for_windows_only() -> None:
    async def scenario(network: SimulatedNetwork) -> float:
        ann, ben = await network.start(2, plugins=[Sink])
        await ann.dial(ben)
        return await seconds_to_send(network, ann, ben, 8 * MIB)

    assert SimulatedNetwork(latency=0.01).run(scenario) < 1.0


# -- clocks, security, errors


def test_wall_clocks_may_be_skewed() -> None:
    async def scenario(network: SimulatedNetwork) -> list[float]:
        ann = await network.node("ann").start()
        ben = await network.node("ben", clock_offset_seconds=-3600.0).start()
        first = ben.wall_time() - ann.wall_time()
        ben.clock_offset_seconds = 60.0
        await anyio.sleep(5)
        return [first, ben.wall_time() - ann.wall_time()]

    assert SimulatedNetwork().run(scenario) == [-3600.0, 60.0]


def test_plain_security_is_for_simulated_nodes_only() -> None:
    async def scenario(network: SimulatedNetwork) -> str | None:
        ann, ben = await network.start(2)
        return (await ann.dial(ben)).security

    assert SimulatedNetwork().run(scenario) == "/peerloom-simulated-plain/1"
    assert SimulatedNetwork(security="real").run(scenario) == "/tls/1.0.0"
    with pytest.raises(ConfigError):
        NetworkConfig(security=["plain"])


def test_real_node_refuses_plain_security() -> None:
    real, plain = SimulatedNetwork(security="real"), SimulatedNetwork()
    plain._world.internet = real._world.internet

    async def scenario(network: SimulatedNetwork) -> None:
        ann = await network.node("ann").start()
        plain._world.tasks = network._world.tasks
        async with plain.node("ben") as ben:
            with pytest.raises(DialFailed):
                await ann.dial(ben)
            with pytest.raises(DialFailed):
                await ben.dial(ann)

    real.run(scenario)


def test_wrong_peer_is_refused() -> None:
    async def scenario(network: SimulatedNetwork) -> str:
        ann, ben, cid = await network.start(3)
        with pytest.raises(DialFailed) as failed:
            await ann.client.dial(cid.peer_id, [ben.addresses[0].decapsulate_code(421)])
        return str(failed.value)

    assert "WrongPeerId" in SimulatedNetwork().run(scenario)


def test_quic_runs_over_simulated_datagrams_and_survives_their_loss() -> None:
    async def scenario(network: SimulatedNetwork) -> float:
        ann, ben = await network.start(2, plugins=[Sink], listen=["/udp/4001/quic-v1"])
        assert (await ann.dial(ben)).muxer is None
        return await seconds_to_send(network, ann, ben, 256 * 1024)

    network = SimulatedNetwork(seed=2, latency=0.01, datagram_loss=0.05)
    assert 0.02 <= network.run(scenario) < 60


def test_configured_wildcards_stand_for_the_hosts_address() -> None:
    listen = ["/ip4/0.0.0.0/tcp/7", "/ip4/0.0.0.0/udp/8/quic-v1"]

    async def scenario(network: SimulatedNetwork) -> tuple[str, list[str]]:
        ann = await network.node("ann", config=NetworkConfig(listen=listen)).start()
        return ann.ip, [str(address).rpartition("/p2p/")[0] for address in ann.addresses]

    ip, addresses = SimulatedNetwork().run(scenario)
    assert addresses == [f"/ip4/{ip}/tcp/7", f"/ip4/{ip}/udp/8/quic-v1"]


def test_other_hosts_addresses_cannot_be_listened_on() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        ann = await network.node("ann").start()
        for address in ("/ip4/20.9.9.9/tcp/7", "/ip4/20.9.9.9/udp/7/quic-v1"):
            with pytest.raises(ListenFailed, match=ann.ip):
                await ann.client.listen_on(address)
        with pytest.raises(ListenFailed, match="in use"):
            await ann.client.listen_on(f"/ip4/{ann.ip}/tcp/4001")

    SimulatedNetwork().run(scenario)


def test_starting_twice_and_naming_two_nodes_alike_are_errors() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        ann = await network.node("ann").start()
        with pytest.raises(ValueError, match="ann"):
            network.node("ann")
        with pytest.raises(NodeClosed):
            await ann.start()
        listener = await ann.client.listen_on(f"/ip4/{ann.ip}/tcp/0")
        assert await ann.client.stop_listening(listener)

    SimulatedNetwork().run(scenario)


def test_failing_run_names_its_seed() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        await network.start(1)
        raise ValueError("it failed")

    with pytest.raises(ValueError, match="it failed") as failed:
        SimulatedNetwork(seed=4711).run(scenario)
    (note,) = failed.value.__notes__
    assert "SimulatedNetwork(seed=4711)" in note
    assert "node-1" in note


def test_note_of_a_failing_run_ends_before_the_nodes_are_stopped() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        ann, ben = await network.start(2)
        await ann.dial(ben)
        network._world.write("-", "the last words")
        raise ValueError("it failed")

    network = SimulatedNetwork()
    with pytest.raises(ValueError, match="it failed") as failed:
        network.run(scenario)
    assert failed.value.__notes__[0].endswith("the last words")
    assert "ListenerClosed" in str(network.log)


def test_installed_plugins_run_where_they_are_named() -> None:
    async def scenario(network: SimulatedNetwork) -> list[bool]:
        bare = await network.node().start()
        named = await network.node(plugins=["stream"]).start()
        return ["stream" in (await one.client.status())["plugins"] for one in (bare, named)]

    assert SimulatedNetwork().run(scenario) == [False, True]


def test_plugin_that_is_not_installed_cannot_be_named() -> None:
    with pytest.raises(PluginError, match=r"no plugin strem is installed; did you mean stream\?"):
        SimulatedNetwork().node(plugins=["strem"])


def test_node_of_a_simulated_network_is_a_real_one() -> None:
    async def scenario(network: SimulatedNetwork) -> bool:
        async with network.node("ann") as ann:
            return isinstance(ann.node, Node)

    assert SimulatedNetwork().run(scenario)


def test_scenario_that_waits_for_ever_is_ended() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        (ann,) = await network.start(1)
        async with ann.events(PeerConnected) as events:
            await anext(events)

    network = SimulatedNetwork(seed=4, time_limit_seconds=600)
    with pytest.raises(TimeoutError, match="still running after 600 virtual seconds") as failed:
        network.run(scenario)
    assert "seed=4" in failed.value.__notes__[0]
    assert network.now == 600


def test_who_needs_a_plugin_that_nobody_gave_is_told_how() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        [ann] = await network.start(1)
        await ann.client.call(FindPeer(ann.peer_id))

    with pytest.raises(NoHandler) as failed:
        SimulatedNetwork().run(scenario)
    assert "network.start(2, plugins=[" in failed.value.__notes__[-1]


@pytest.mark.parametrize("security", ["plain", "real"])
@pytest.mark.parametrize("met_before", [False, True])
def test_two_that_dial_each_other_at_once_both_get_through(
    security: Security,
    met_before: bool,  # noqa: FBT001
) -> None:
    """From where they listen, so that their two SYNs make one connection of two diallers."""

    async def scenario(network: SimulatedNetwork) -> None:
        ann, ben = await network.start(2)
        if met_before:
            await ann.dial(ben)
            await anyio.sleep(5)
            await ben.crash()
            await ann.client.disconnect(ben.peer_id)
            await ben.restart()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ann.dial, ben)
            tasks.start_soon(ben.dial, ann)
        assert await ann.client.ping(ben.peer_id)
        assert await ben.client.ping(ann.peer_id)

    SimulatedNetwork(seed=7, latency=0.1, security=security).run(scenario)
