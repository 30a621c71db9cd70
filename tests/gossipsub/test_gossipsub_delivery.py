"""What becomes of messages on the way to the application; what is counted of those that fail."""

from __future__ import annotations

import asyncio
import math

import anyio
import pytest

from peerloom import Lagged
from peerloom._metrics import Metrics
from peerloom._subscriptions import PATIENT_BOUND, QUEUE_BOUND
from peerloom.testing import Nodes, no_leaks, until
from peerloom_gossipsub import (
    Gossipsub,
    Message,
    MessageTooLarge,
    NoPeersSubscribedToTopic,
    Verdict,
)
from peerloom_gossipsub._delivery import _SPARE
from peerloom_gossipsub._meters import Meters

LIMIT_SECONDS = 30.0
TOTAL = 3 * QUEUE_BOUND


async def pair(nodes, **settings):
    """Ann, who publishes, and Ben, who is subscribed."""
    [ann] = await nodes()
    [ben] = await nodes(settings={"gossipsub": settings})
    await Gossipsub(ben.client).subscribe("news")
    await nodes.connect(ann, ben)
    await Gossipsub(ann.client).wait_for_peers("news")
    return ann, ben


async def report(node):
    status = await node.client.status()
    return status["plugins"]["gossipsub"]["report"]


async def counts(node):
    return (await report(node))["counts"]


async def publish_all(node, count=TOTAL):
    gossip = Gossipsub(node.client)
    for number in range(count):
        published = await gossip.publish("news", number.to_bytes(4, "big"))
        assert (published.sent, published.skipped) == (1, 0)


async def test_a_subscriber_that_sleeps_misses_nothing_and_its_peers_wait():
    with anyio.fail_after(LIMIT_SECONDS):
        async with no_leaks(), Nodes() as nodes:
            patient = {"slow_subscriber_seconds": LIMIT_SECONDS, "max_pending_messages": 200}
            ann, ben = await pair(nodes, **patient)
            async with ben.client.events(Message) as messages:
                await publish_all(ann)
                await until(
                    lambda: report(ben), lambda told: told["unread_messages"] > 200, within=10
                )
                for number in range(TOTAL):
                    assert (await anext(messages)).data == number.to_bytes(4, "big")
                    if number % 50 == 0:
                        assert (await report(ben))["unread_messages"] < 300
            assert (await report(ben))["unread_messages"] == 0


async def test_a_subscriber_that_never_reads_holds_nobody_for_long_and_is_told():
    with anyio.fail_after(LIMIT_SECONDS):
        async with no_leaks(), Nodes() as nodes:
            hasty = {"slow_subscriber_seconds": 0.05, "max_pending_messages": 200}
            ann, ben = await pair(nodes, **hasty)
            heard = nodes.record(ben, Message)
            async with ben.client.events(Message) as stalled:
                await publish_all(ann)
                got = [(await heard.next(Message, within=LIMIT_SECONDS)).data for _ in range(TOTAL)]
                assert got == [number.to_bytes(4, "big") for number in range(TOTAL)]
                missed = await anext(stalled)
                assert isinstance(missed, Lagged)
                assert missed.count == TOTAL - QUEUE_BOUND
            assert (await counts(ben))["message given to a slow subscriber"] > 0


async def test_what_a_slow_subscriber_still_gets_is_not_counted_as_lost():
    assert _SPARE == QUEUE_BOUND - PATIENT_BOUND
    with anyio.fail_after(LIMIT_SECONDS):
        async with no_leaks(), Nodes() as nodes:
            hasty = {"slow_subscriber_seconds": 0.05, "max_pending_messages": 10}
            ann, ben = await pair(nodes, **hasty)
            heard = nodes.record(ben, Message)
            async with ben.client.events(Message) as slow:
                await publish_all(ann, PATIENT_BOUND + 100)
                for _ in range(PATIENT_BOUND + 100):
                    await heard.next(Message, within=LIMIT_SECONDS)
                for number in range(PATIENT_BOUND + 100):
                    assert (await anext(slow)).data == number.to_bytes(4, "big")
            assert "message given to a slow subscriber" not in await counts(ben)


async def test_validators_that_fail_are_counted_by_cause():
    async def judge(message):
        if message.data == b"raise":
            raise RuntimeError("on purpose")
        if message.data == b"sleep":
            await anyio.sleep_forever()
        return Verdict[message.data.decode()]

    with anyio.fail_after(LIMIT_SECONDS):
        async with no_leaks(), Nodes() as nodes:
            ann, ben = await pair(nodes, validation_seconds=0.05)
            heard = nodes.record(ben, Message)
            async with Gossipsub(ben.client).validate("news", judge):
                for data in (b"raise", b"sleep", b"IGNORE", b"REJECT", b"ACCEPT"):
                    await Gossipsub(ann.client).publish("news", data)
                assert (await heard.next(Message)).data == b"ACCEPT"
                counted = await until(lambda: counts(ben), lambda seen: seen["message ignore"] == 3)
            assert counted["message whose validator failed"] == 1
            assert counted["message whose validator was too slow"] == 1
            assert counted["message reject"] == 1
            assert counted["message accept"] == 1


async def test_a_validator_that_answers_with_no_verdict_has_failed_and_the_plugin_lives():
    async def judge(message):
        return Verdict.ACCEPT if message.data == b"last" else None

    with anyio.fail_after(LIMIT_SECONDS):
        async with no_leaks(), Nodes() as nodes:
            ann, ben = await pair(nodes)
            heard = nodes.record(ben, Message)
            async with Gossipsub(ben.client).validate("news", judge):
                for data in (b"first", b"last"):
                    await Gossipsub(ann.client).publish("news", data)
                assert (await heard.next(Message)).data == b"last"
            counted = await counts(ben)
            assert counted["message whose validator failed"] == counted["message ignore"] == 1


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_validator_that_awaits_what_was_cancelled_has_ignored_the_message(anyio_backend):
    gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    gone.cancel()

    async def judge(_):
        await gone

    with anyio.fail_after(LIMIT_SECONDS):
        async with no_leaks(), Nodes() as nodes:
            ann, ben = await pair(nodes)
            async with Gossipsub(ben.client).validate("news", judge):
                await Gossipsub(ann.client).publish("news", b"hello")
                await until(lambda: counts(ben), lambda seen: seen.get("message ignore") == 1)
            assert (await report(ben))["pending_bytes"] == 0


async def test_a_score_is_a_number():
    async with no_leaks(), Nodes() as nodes:
        [node] = await nodes()
        for score in (math.nan, math.inf):
            with pytest.raises(ValueError, match="finite"):
                await Gossipsub(node.client).set_peer_score(node.peer_id, score)


async def test_own_messages_that_are_refused_are_counted_by_cause():
    async with no_leaks(), Nodes() as nodes:
        [node] = await nodes()
        with pytest.raises(MessageTooLarge):
            await Gossipsub(node.client).publish("news", bytes(1024 * 1024))
        for _ in range(2):
            with pytest.raises(NoPeersSubscribedToTopic):
                await Gossipsub(node.client).publish("news", b"hello")

        assert await counts(node) == {
            "own message refused: MessageTooLarge": 1,
            "own message refused: NoPeersSubscribedToTopic": 2,
        }


def test_what_is_counted_is_for_prometheus_as_well():
    metrics = Metrics()
    meters = Meters(metrics.of("gossipsub"))
    idle = dict.fromkeys(("unfinished_bytes", "pending_bytes", "unread_messages"), 0)
    for number in (1, 3):
        meters.follow(
            {
                **idle,
                "peers": number,
                "waiting_bytes": 10 * number,
                "meshes": {f"topic-{number}": number},
                "counts": {"rpc malformed": number},
            }
        )
    shown = {
        (sample.name.removeprefix("peerloom_gossipsub_"), *sample.labels.values()): sample.value
        for family in metrics.collect()
        for sample in family.samples
        if sample.value
    }
    assert shown == {
        ("counts_total", "rpc malformed"): 3,
        ("mesh_peers", "topic-3"): 3,
        ("peers",): 3,
        ("waiting_bytes",): 30,
    }


async def test_what_is_published_before_the_node_ends_still_arrives():
    with anyio.fail_after(LIMIT_SECONDS):
        async with no_leaks(), Nodes() as nodes:
            ann, ben = await pair(nodes)
            heard = nodes.record(ben, Message)
            for number in range(100):
                await Gossipsub(ann.client).publish("news", bytes([number]) * 10_000)
            await nodes.stop(ann)
            got = {(await heard.next(Message)).data[0] for _ in range(100)}
            assert got == set(range(100))
