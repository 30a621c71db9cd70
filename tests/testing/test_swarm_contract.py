"""What plugins may rely on of a swarm: the real one and the fake one both hold it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from multiaddr import Multiaddr

from peerloom import (
    DialFailed,
    LinkClosed,
    ListenFailed,
    PluginError,
    StreamReset,
)
from peerloom.plugin import (
    DialCondition,
    Dialing,
    ExternalAddressConfirmed,
    ExternalAddressExpired,
    ListenAddressExpired,
    ListenerClosed,
    ListeningOn,
    OutgoingConnectionFailed,
    PeerConnected,
    PeerDisconnected,
    ProtocolsChanged,
    Role,
)
from tests.testing.worlds import (
    ECHO,
    NOBODY_THERE,
    Serving,
    dialled,
    echo,
    read,
    serve,
)

if TYPE_CHECKING:
    from peerloom import ConnectionInfo
    from peerloom.plugin import PluginContext
    from tests.testing.worlds import World

TIMES = 10  # what depends on the order of tasks goes wrong in one of so many
LARGE = 4 * 1024 * 1024  # more than windows and buffers hold


async def test_a_dial_gives_the_connection_and_tells_of_it(
    world: World, ctx: PluginContext
) -> None:
    info = await ctx.dial(world.ben, world.ben_addresses)

    assert (info.peer, info.role, info.relayed, info.limits) == (
        world.ben,
        Role.DIALER,
        False,
        None,
    )
    assert info.remote_address in world.ben_addresses
    assert ctx.connections() == ctx.connections(world.ben) == (info,)
    assert await world.heard.next(Dialing) == Dialing(world.ben)
    assert await world.heard.next(PeerConnected) == PeerConnected(world.ben, info, 1)


async def test_a_peer_that_is_connected_is_not_dialled_again(
    world: World, ctx: PluginContext
) -> None:
    first = await dialled(world)
    await world.heard.next(Dialing)

    assert await ctx.dial(world.ben) == first
    assert await ctx.dial(world.ben, world.ben_addresses, DialCondition.DISCONNECTED) == first
    await world.heard.nothing(Dialing, within=0)


async def test_a_dial_that_is_always_made_gives_another_connection(world: World) -> None:
    first, second = await dialled(world), await dialled(world)

    assert first.id != second.id
    events = await world.heard.several(PeerConnected, 2)
    assert [event.established for event in events] == [1, 2]


async def test_dials_at_the_same_time_share_one_result(world: World, ctx: PluginContext) -> None:
    infos: list[ConnectionInfo] = []

    async def dial() -> None:
        infos.append(await ctx.dial(world.ben, world.ben_addresses))

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(dial)

    assert infos == [ctx.connections()[0]] * 3
    await world.heard.next(Dialing)
    await world.heard.nothing(Dialing, within=0)


async def test_an_address_alone_can_be_dialled(world: World, ctx: PluginContext) -> None:
    [address, *_] = world.ben_addresses

    assert (await ctx.dial(None, [address])).peer == world.ben
    assert await world.heard.next(Dialing) == Dialing(None)


async def test_an_address_may_name_the_peer(world: World, ctx: PluginContext) -> None:
    [address, *_] = world.ben_addresses
    named = address.encapsulate(Multiaddr(f"/p2p/{world.ben}"))

    assert (await ctx.dial(None, [named])).peer == world.ben
    assert await world.heard.next(Dialing) == Dialing(world.ben)


async def test_a_dial_that_fails_says_what_became_of_each_address(
    world: World, ctx: PluginContext
) -> None:
    with pytest.raises(DialFailed) as raised:
        await ctx.dial(world.ben, [NOBODY_THERE])

    assert raised.value.peer == world.ben
    [(address, cause)] = raised.value.attempts
    assert address == NOBODY_THERE
    assert isinstance(cause, OSError)
    event = await world.heard.next(OutgoingConnectionFailed)
    assert (event.peer, event.attempts) == (world.ben, raised.value.attempts)


async def test_a_peer_without_addresses_cannot_be_dialled(world: World, ctx: PluginContext) -> None:
    with pytest.raises(DialFailed, match="no address is known: dial an address") as raised:
        await ctx.dial(world.ben)

    assert raised.value.attempts == ()
    await world.heard.next(OutgoingConnectionFailed)


async def test_a_peer_given_as_text_is_told_from_one_that_is_not_there(
    world: World, ctx: PluginContext
) -> None:
    text: Any = str(world.ben)
    await ctx.dial(world.ben, world.ben_addresses)

    for use in (
        ctx.open_stream(text, [ECHO]),
        ctx.dial(text),
        ctx.swarm.disconnect(text, "a test"),
    ):
        with pytest.raises(TypeError, match="expected a PeerId"):
            await use
    for plain in (ctx.connections, ctx.swarm.protect, ctx.swarm.unprotect):
        with pytest.raises(TypeError, match="expected a PeerId"):
            plain(text)


async def test_this_node_itself_cannot_be_dialled(ctx: PluginContext) -> None:
    with pytest.raises(DialFailed, match="this node itself"):
        await ctx.dial(ctx.local_peer)


async def test_addresses_that_behaviours_know_are_tried(world: World, ctx: PluginContext) -> None:
    serve(ctx, echo).known[world.ben] = world.ben_addresses

    assert (await ctx.dial(world.ben)).peer == world.ben


@pytest.mark.parametrize("stage", ["dial", "connected"])
async def test_a_gate_may_refuse(world: World, ctx: PluginContext, stage: str) -> None:
    world.keeper.refuses = stage

    with pytest.raises(DialFailed, match=f"not at {stage}"):
        await ctx.dial(world.ben, world.ben_addresses)
    assert ctx.connections() == ()
    await world.heard.nothing(PeerConnected, within=0)


async def test_disconnecting_ends_connections_and_their_streams(
    world: World, ctx: PluginContext
) -> None:
    first, second = await dialled(world), await dialled(world)
    stream = await ctx.open_stream(world.ben, [ECHO])

    assert await ctx.swarm.disconnect(world.ben, "a test") == 2

    with pytest.raises((StreamReset, LinkClosed)):
        await read(stream)
    assert ctx.connections() == ()
    events = await world.heard.several(PeerDisconnected, 2)
    assert {event.connection for event in events} == {first, second}
    assert [(event.remaining, event.cause, event.intended) for event in events] == [
        (1, "a test", True),
        (0, "a test", True),
    ]
    assert await ctx.swarm.disconnect(world.ben, "again") == 0


async def test_one_connection_can_be_closed(world: World, ctx: PluginContext) -> None:
    info = await dialled(world)

    assert await ctx.swarm.close_connection(info.id, "a test")
    assert not await ctx.swarm.close_connection(info.id, "a test")
    event = await world.heard.next(PeerDisconnected)
    assert event == PeerDisconnected(world.ben, info, 0, "a test", intended=False)


async def test_a_peer_that_leaves_is_told(world: World, ctx: PluginContext) -> None:
    info = await dialled(world)
    await world.ben_leaves()

    event = await world.heard.next(PeerDisconnected)
    assert (event.connection, event.remaining, event.intended) == (info, 0, False)
    assert ctx.connections(world.ben) == ()


async def test_protocols_are_those_in_service(world: World, ctx: PluginContext) -> None:
    serve(ctx, echo, "/b/1")
    before = ctx.swarm.protocols()
    ctx.swarm.install("other", [Serving("/a/1", echo)], [])

    assert set(ctx.swarm.protocols()) - set(before) == {"/a/1"}
    assert list(ctx.swarm.protocols()) == sorted(ctx.swarm.protocols())
    event = await world.heard.next(ProtocolsChanged, lambda event: "/a/1" in event.protocols)
    assert event.protocols == ctx.swarm.protocols()
    ctx.swarm.withdraw("other")
    assert ctx.swarm.protocols() == before


async def test_a_protocol_has_one_owner(ctx: PluginContext) -> None:
    serve(ctx, echo, "/a/1")

    with pytest.raises(PluginError, match="/a/1"):
        ctx.swarm.install("other", [Serving("/a/1", echo)], [])
    with pytest.raises(PluginError, match="not async"):
        ctx.swarm.install("other", [Serving("/b/1", lambda _: None)], [])


async def test_peers_can_be_protected(world: World, ctx: PluginContext) -> None:
    assert not ctx.swarm.unprotect(world.ben)
    ctx.swarm.protect(world.ben)
    assert ctx.swarm.unprotect(world.ben)
    assert not ctx.swarm.unprotect(world.ben)


async def test_listening_begins_and_ends(world: World, ctx: PluginContext) -> None:
    before = ctx.swarm.listen_addresses()

    number = await ctx.swarm.listen_on(Multiaddr("/ip4/127.0.0.1/tcp/0"))

    [(_, address)] = [one for one in ctx.swarm.listen_addresses() if one[0] == number]
    assert int(address.value_for_protocol("tcp") or 0) > 0
    assert await world.heard.next(ListeningOn, lambda event: event.listener_id == number)
    assert await ctx.swarm.stop_listening(number)
    assert not await ctx.swarm.stop_listening(number)
    assert ctx.swarm.listen_addresses() == before
    assert await world.heard.next(ListenAddressExpired) == ListenAddressExpired(number, address)
    assert await world.heard.next(ListenerClosed) == ListenerClosed(number, (address,), None)


async def test_an_address_that_no_transport_handles_cannot_be_listened_on(
    ctx: PluginContext,
) -> None:
    with pytest.raises(ListenFailed, match=r"no transport of .*/quic-v1$"):
        await ctx.swarm.listen_on(Multiaddr("/unix/tmp"))


async def test_external_addresses_are_confirmed_and_withdrawn(
    world: World, ctx: PluginContext
) -> None:
    address = Multiaddr("/ip4/192.0.2.9/tcp/4001")
    named = address.encapsulate(Multiaddr(f"/p2p/{ctx.local_peer}"))

    for _ in range(2):
        ctx.swarm.add_external_address(named)
    assert ctx.swarm.external_addresses() == (address,)
    assert ctx.swarm.remove_external_address(address)
    assert not ctx.swarm.remove_external_address(address)
    assert ctx.swarm.external_addresses() == ()
    assert await world.heard.next(ExternalAddressConfirmed) == ExternalAddressConfirmed(address)
    assert await world.heard.next(ExternalAddressExpired) == ExternalAddressExpired(address)
    await world.heard.nothing(ExternalAddressConfirmed, within=0)


async def test_status_counts(world: World, ctx: PluginContext) -> None:
    await dialled(world)
    ctx.swarm.add_external_address(Multiaddr("/ip4/192.0.2.9/tcp/4001"))
    status = ctx.swarm.status()

    assert (status["connections"], status["peers"]) == (1, 1)
    assert status["external_addresses"] == ["/ip4/192.0.2.9/tcp/4001"]
    assert status["inbound_streams"] == {}
