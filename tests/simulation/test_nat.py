"""What each kind of NAT lets out and in, and who can meet through two of them."""

from __future__ import annotations

from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Final, Literal, get_args

import anyio
import pytest

from peerloom import DialFailed, IdentifyReceived, PeerDisconnected
from peerloom._links import DialOptions
from peerloom.testing import NatKind, SimulatedNetwork, SimulatedNode
from peerloom.testing._simulated._tcp import SimulatedTcp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from multiaddr import Multiaddr

    from peerloom._links import RawLink

KINDS: Final[tuple[NatKind, ...]] = get_args(NatKind)


async def seen_as(node: SimulatedNode, by: SimulatedNode, address: Multiaddr) -> Multiaddr:
    """As which address a node is seen when it dials another one there."""
    async with node.events(IdentifyReceived) as identified:
        await node.client.dial(by.peer_id, [address])
        seen = (await anext(identified)).observed_address
        assert seen is not None
        return seen


async def reaches(node: SimulatedNode, other: SimulatedNode, address: Multiaddr) -> bool:
    """Whether a dial to that address leads to the other."""
    try:
        await node.client.dial(other.peer_id, [address])
    except DialFailed:
        return False
    return True


async def parted(one: SimulatedNode, other: SimulatedNode) -> None:
    """Their connections have ended."""
    async with other.events(PeerDisconnected) as ended:
        await one.client.disconnect(other.peer_id)
        await anext(ended)


@pytest.mark.parametrize(
    ("kind", "one_port"),
    [
        ("endpoint-independent", True),
        ("address-dependent", True),
        ("port-dependent", True),
        ("symmetric", False),
    ],
)
def test_nat_shows_one_port_unless_it_is_symmetric(kind: NatKind, *, one_port: bool) -> None:
    async def scenario(network: SimulatedNetwork) -> list[Multiaddr]:
        ann, ben = await network.start(2)
        hidden = await network.node("hidden", nat=kind).start()
        assert str(hidden.addresses[0]).startswith("/ip4/10.")
        return [await seen_as(hidden, by, by.addresses[0]) for by in (ann, ben)]

    one, other = SimulatedNetwork(seed=3).run(scenario)
    assert one.value_for_protocol("ip4") == other.value_for_protocol("ip4")
    assert not one.value_for_protocol("ip4").startswith("10.")
    assert (one == other) is one_port


@pytest.mark.parametrize(
    ("kind", "lets_in"),
    [
        ("endpoint-independent", ["the same port", "another port", "a stranger"]),
        ("address-dependent", ["the same port", "another port"]),
        ("port-dependent", ["the same port"]),
        ("symmetric", ["the same port"]),
    ],
)
def test_nat_lets_in_whom_its_kind_lets_in(kind: NatKind, lets_in: Sequence[str]) -> None:
    async def scenario(network: SimulatedNetwork) -> list[str]:
        friend = await network.node("friend", listen=["/tcp/1", "/tcp/2"]).start()
        stranger = await network.node("stranger").start()
        hidden = await network.node("hidden", nat=kind).start()
        found = []
        # A dial leaves from the first port listened on.
        for who, dialer, dialled in (
            ("the same port", friend, friend.addresses[0]),
            ("another port", friend, friend.addresses[1]),
            ("a stranger", stranger, friend.addresses[0]),
        ):
            hidden.nat.restart()
            outside = await seen_as(hidden, friend, dialled)
            await parted(hidden, friend)
            if await reaches(dialer, hidden, outside):
                found.append(who)
                await parted(hidden, dialer)
        return found

    assert SimulatedNetwork(seed=3).run(scenario) == lets_in


@pytest.mark.parametrize(
    ("unsolicited", "seconds", "cause"),
    [("drop", 10.0, "not connected within 10 s"), ("refuse", 0.25, "nobody listens there")],
)
def test_nat_drops_or_refuses_what_it_does_not_let_in(
    unsolicited: Literal["drop", "refuse"], seconds: float, cause: str
) -> None:
    async def scenario(network: SimulatedNetwork) -> tuple[float, str]:
        ann = await network.node("ann").start()
        nat = network.nat(unsolicited=unsolicited)
        hidden = await network.node("hidden", nat=nat).start()
        began_at = network.now
        with pytest.raises(DialFailed) as failed:
            await ann.client.dial(hidden.peer_id, [f"/ip4/{nat.ip}/tcp/4001"])
        return network.now - began_at, str(failed.value)

    took, text = SimulatedNetwork(latency=0.125).run(scenario)
    assert took == seconds
    assert cause in text


def test_private_address_is_reached_from_the_same_network_only() -> None:
    async def scenario(network: SimulatedNetwork) -> list[bool]:
        home = network.nat()
        ann, ben = [await network.node(name, nat=home).start() for name in ("ann", "ben")]
        others = [
            await network.node("public").start(),
            await network.node("next-door", nat="port-dependent").start(),
        ]
        return [await reaches(one, ann, ann.addresses[0]) for one in (ben, *others)]

    assert SimulatedNetwork().run(scenario) == [True, False, False]


@pytest.mark.parametrize("hairpins", [True, False])
def test_nat_joins_its_own_sides_only_if_it_hairpins(*, hairpins: bool) -> None:
    async def scenario(network: SimulatedNetwork) -> bool:
        home = network.nat("endpoint-independent", hairpins=hairpins)
        outside = await network.node("outside").start()
        ann, ben = [await network.node(name, nat=home).start() for name in ("ann", "ben")]
        return await reaches(ben, ann, await seen_as(ann, outside, outside.addresses[0]))

    assert SimulatedNetwork().run(scenario) is hairpins


def test_nat_behind_a_nat_lets_through_what_both_let_through() -> None:
    async def scenario(network: SimulatedNetwork) -> list[bool]:
        carrier = network.nat("endpoint-independent")
        home = network.nat("address-dependent", behind=carrier)
        friend, stranger = await network.start(2)
        hidden = await network.node("hidden", nat=home).start()
        outside = await seen_as(hidden, friend, friend.addresses[0])
        assert outside.value_for_protocol("ip4") == carrier.ip
        await parted(hidden, friend)
        return [await reaches(one, hidden, outside) for one in (friend, stranger)]

    assert SimulatedNetwork().run(scenario) == [True, False]


def test_nat_forgets_a_port_unless_a_link_holds_it() -> None:
    async def scenario(network: SimulatedNetwork, *, held: bool) -> bool:
        friend, stranger = await network.start(2)
        nat = network.nat("endpoint-independent", lifetime_seconds=60)
        hidden = await network.node("hidden", nat=nat).start()
        outside = await seen_as(hidden, friend, friend.addresses[0])
        if held:
            await hidden.client.protect(friend.peer_id)
        await anyio.sleep(200)
        return await reaches(stranger, hidden, outside)

    async def held(network: SimulatedNetwork) -> bool:
        return await scenario(network, held=True)

    async def not_held(network: SimulatedNetwork) -> bool:
        return await scenario(network, held=False)

    assert SimulatedNetwork().run(held)
    assert not SimulatedNetwork().run(not_held)


def test_forwarded_port_is_open_to_everybody() -> None:
    async def scenario(network: SimulatedNetwork) -> bool:
        hidden = await network.node("hidden", nat="symmetric").start()
        stranger = await network.node("stranger").start()
        return await reaches(stranger, hidden, hidden.forward_port(7))

    assert SimulatedNetwork().run(scenario)


@pytest.mark.parametrize(("one", "other"), list(combinations_with_replacement(KINDS, 2)))
def test_hole_is_punched_unless_a_port_cannot_be_known(one: NatKind, other: NatKind) -> None:
    """A symmetric NAT shows a port that nobody has seen: most others do not let that in."""
    hopeless = "symmetric" in {one, other} and {one, other} <= {"port-dependent", "symmetric"}
    links = SimulatedNetwork(seed=5).run(punch, one, other)
    assert bool(links) is not hopeless


def test_simultaneous_dials_make_one_link() -> None:
    async def scenario(network: SimulatedNetwork) -> bytes:
        ours, theirs = await punch(network, "port-dependent", "port-dependent")
        await ours.stream.send(b"here")
        return await theirs.stream.receive()

    assert SimulatedNetwork().run(scenario) == b"here"


async def punch(network: SimulatedNetwork, *kinds: NatKind) -> list[RawLink]:
    """Two nodes dial at about the same time, from their ports, where a third has seen the other."""
    friend = await network.node("friend").start()
    sides = [await network.node(nat=kind).start() for kind in kinds]
    known = [await seen_as(side, friend, friend.addresses[0]) for side in sides]
    links: list[RawLink] = []

    async def dial(side: SimulatedNode, address: Multiaddr, after: float) -> None:
        await anyio.sleep(after)
        with anyio.move_on_after(20):
            transport = SimulatedTcp(network._world.internet, side._host)
            links.append(await transport.dial(address, DialOptions()))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(dial, sides[0], known[1], 0.0)
        tasks.start_soon(dial, sides[1], known[0], 0.01)
    return links


@pytest.mark.parametrize(("kind", "meet"), [("port-dependent", True), ("symmetric", False)])
def test_datagrams_punch_holes_as_well(kind: NatKind, *, meet: bool) -> None:
    async def scenario(network: SimulatedNetwork) -> bool:
        listen = ["/udp/4001/quic-v1"]
        friend = await network.node("friend", listen=listen).start()
        ann, ben = await network.start(2, nat=kind, listen=listen)
        known = [await seen_as(side, friend, friend.addresses[0]) for side in (ann, ben)]
        reached: list[bool] = []

        async def dial(side: SimulatedNode, other: SimulatedNode, address: Multiaddr) -> None:
            reached.append(await reaches(side, other, address))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(dial, ann, ben, known[1])
            tasks.start_soon(dial, ben, ann, known[0])
        return any(reached)

    assert SimulatedNetwork(latency=0.01).run(scenario) is meet
