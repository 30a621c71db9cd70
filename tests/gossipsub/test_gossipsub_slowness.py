"""Applications, validators and peers that are slower than messages come."""

from __future__ import annotations

import anyio

from peerloom._subscriptions import QUEUE_BOUND
from peerloom.testing import Recorder
from peerloom_gossipsub import Gossipsub, Message, SetValidator, SlowPeer, Verdict
from peerloom_gossipsub._message_ids import data_hash
from peerloom_gossipsub._rpc import IHave
from peerloom_gossipsub._validation import MAX_ASKED
from tests.gossipsub.crowd import UNSIGNED
from tests.gossipsub.routers import anonymous
from tests.gossipsub.simulated import Foreigner, beats, counts, listening, member, simulate

TOTAL = 2 * QUEUE_BOUND


def test_an_application_that_reads_slowly_but_steadily_misses_nothing(anyio_backend):
    async def scenario(network):
        node, _ = await listening(network)
        friend = await member(network).start()
        await friend.dial(node)
        at_friend = Gossipsub(friend.client)
        await at_friend.wait_for_peers("news")
        async with node.client.events(Message) as messages:
            for number in range(TOTAL):
                await at_friend.publish("news", number.to_bytes(4, "big"))
            for number in range(TOTAL):
                assert (await anext(messages)).data == number.to_bytes(4, "big")
                await anyio.sleep(0.05)  # in 5 s too little to make much room

    simulate(anyio_backend, scenario)


def test_one_frame_does_not_start_more_validators_than_there_may_be(anyio_backend):
    messages = [anonymous("news", number.to_bytes(4, "big")) for number in range(4 * MAX_ASKED + 1)]

    async def scenario(network):
        node, client = await listening(network, **UNSIGNED)
        foe = await Foreigner.beside(network, node)
        running = most = 0

        async def judge(_):
            nonlocal running, most
            running += 1
            most = max(most, running)
            try:
                await anyio.sleep_forever()
            finally:
                running -= 1

        async with client.validate("news", judge):
            await foe.say(messages=messages)
            await beats(6)
            told = (await node.client.status())["plugins"]["gossipsub"]
        assert (told["state"], told["failures"]) == ("running", 0)
        assert most == MAX_ASKED

    simulate(anyio_backend, scenario)


async def beside_one_that_does_not_read(network):
    node, client = await listening(network, max_queue_bytes=500_000, max_message_bytes=500_000)
    foe = await Foreigner.beside(network, node)
    await beats(1)
    published = await client.publish("news", bytes(400_000))
    while not published.skipped:
        published = await client.publish("news", bytes(400_000))
    return node, client, foe


def test_a_peer_that_reads_nothing_is_waited_for_once_and_told_of_once(anyio_backend):
    async def scenario(network):
        node, client = await listening(network, max_queue_bytes=500_000, max_message_bytes=500_000)
        await Foreigner.beside(network, node)
        await beats(1)
        with Recorder(node.client, SlowPeer) as record:
            began_at, skipped = network.now, 0
            while skipped < 20:
                skipped += (await client.publish("news", bytes(400_000))).skipped
            assert 5 <= network.now - began_at < 6
            await beats(1)
            assert len(record.of(SlowPeer)) == 1

    simulate(anyio_backend, scenario)


def test_nobody_waits_for_a_peer_that_has_gone(anyio_backend):
    async def scenario(network):
        node, client, foe = await beside_one_that_does_not_read(network)
        await foe.ear.next("messages")  # so that it is none of the slow any more
        await beats(1)
        with Recorder(node.client, SlowPeer) as record:
            async with anyio.create_task_group() as tasks:
                for _ in range(5):
                    tasks.start_soon(client.publish, "news", bytes(400_000))
                await beats(1)
                began_at = network.now
                await foe.other.stop()
            assert network.now - began_at < 1
            await beats(1)
            assert not record.of(SlowPeer)
        assert (await counts(node))["message skipped for a peer that has gone"] > 0

    simulate(anyio_backend, scenario)


def test_a_publisher_that_gives_up_has_its_message_counted(anyio_backend):
    async def scenario(network):
        node, client, foe = await beside_one_that_does_not_read(network)
        await foe.ear.next("messages")
        await beats(1)
        for _ in range(5):
            with anyio.move_on_after(1):
                await client.publish("news", bytes(400_000))
        assert (await counts(node))["message given up by its publisher"] > 0

    simulate(anyio_backend, scenario)


def test_a_peer_breaks_no_promise_while_this_node_does_not_read(anyio_backend):
    owed = anonymous("news", b"owed")

    async def scenario(network):
        bounds = {"max_pending_messages": 10, "slow_subscriber_seconds": 20.0}
        node, _ = await listening(network, **UNSIGNED, **bounds)
        friend = await member(network, **UNSIGNED).start()
        await friend.dial(node)
        foe = await Foreigner.beside(network, node)
        await Gossipsub(friend.client).wait_for_peers("news")
        async with node.client.events(Message) as messages:
            await foe.say(ihave=[IHave("news", [data_hash(owed)])])
            await foe.ear.next("iwant")
            for number in range(QUEUE_BOUND):
                await Gossipsub(friend.client).publish("news", number.to_bytes(4, "big"))
            await beats(1)
            await foe.say(messages=[owed])
            await beats(6)
            while (await anext(messages)).data != b"owed":
                pass
        assert "promise broken" not in await counts(node)

    simulate(anyio_backend, scenario)


def test_who_asks_for_a_lot_gets_all_of_it(anyio_backend):
    async def scenario(network):
        node, client = await listening(network)
        foe = await Foreigner.beside(network, node)
        await beats(1)
        ids = [(await client.publish("news", bytes(50_000))).message_id for _ in range(100)]
        for wanted in ([], ids):
            await foe.say(iwant=wanted)
            got = 0
            while got < len(ids):
                got += len(await foe.ear.all("messages"))
        assert "gossip for a slow peer" not in await counts(node)

    simulate(anyio_backend, scenario)


def test_a_large_message_has_its_turn_among_small_ones(anyio_backend):
    async def scenario(network):
        node, client = await listening(network, max_queue_bytes=700_000, max_message_bytes=700_000)
        foe = await Foreigner.beside(network, node)
        await beats(1)

        async def read():
            while True:
                await foe.ear.next("messages")
                await anyio.sleep(0.05)

        async def publish_small():
            while True:
                await client.publish("news", bytes(30_000))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            for _ in range(30):
                tasks.start_soon(publish_small)
            await beats(5)
            assert (await client.publish("news", bytes(600_000))).sent == 1
            tasks.cancel_scope.cancel()

    simulate(anyio_backend, scenario)


def test_a_node_that_ends_asks_no_more_validators(anyio_backend):
    async def accept(_):
        return Verdict.ACCEPT

    async def scenario(network):
        node, _, _ = await beside_one_that_does_not_read(network)  # so it takes a second
        friend, at_friend = await listening(network)
        await friend.dial(node)
        await at_friend.wait_for_peers("news")

        async def go_on():
            while await at_friend.subscribed_peers("news"):
                await at_friend.publish("news", b"more")
                await anyio.sleep(0.1)

        await node.client.call(SetValidator("news", accept))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(go_on)
            await beats(1)
            await node.stop()

    simulate(anyio_backend, scenario)


def test_a_peer_that_reads_again_hears_what_it_has_missed(anyio_backend):
    async def scenario(network):
        node, client = await listening(network)
        foe = await Foreigner.beside(network, node)
        await beats(1)
        for _ in range(3000):
            await client.subscribe("t" * 1000)
            await client.unsubscribe("t" * 1000)
        await client.subscribe("late" * 250)
        assert (await counts(node))["control for a slow peer"] > 0
        with anyio.fail_after(10):
            while "late" * 250 not in {each.topic for each in await foe.ear.all("subscriptions")}:
                pass

    simulate(anyio_backend, scenario)
