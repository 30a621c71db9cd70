"""Many messages published at once, by one node."""

from __future__ import annotations

import anyio

from peerloom.testing import Nodes
from peerloom_gossipsub import Gossipsub, Message, PeerSubscribed, Published

LIMIT_SECONDS = 200.0
SETTLE_SECONDS = 1.5
KILOBYTE = bytes(1000)


async def burst(nodes: int, count: int) -> None:
    """Everybody hears all of them, once; nobody is skipped and nothing is dropped on the way."""
    sent = [number.to_bytes(4, "big") + KILOBYTE for number in range(count)]
    with anyio.fail_after(LIMIT_SECONDS):
        async with Nodes() as made:
            everybody = await made(nodes)
            clients = [Gossipsub(node.client) for node in everybody]
            heard = [made.record(node, Message, PeerSubscribed) for node in everybody]
            for client in clients:
                await client.subscribe("news")
            for number, node in enumerate(everybody):
                await made.connect(node, *everybody[number + 1 :])
            for record in heard:
                await record.several(PeerSubscribed, nodes - 1)

            answers = await publish_at_once(clients[0], sent)

            assert all((each.sent, each.skipped) == (nodes - 1, 0) for each in answers)
            for record in heard[1:]:
                got = await record.several(Message, count, within=LIMIT_SECONDS)
                assert sorted(event.data for event in got) == sent
            await anyio.sleep(SETTLE_SECONDS)  # what comes twice comes late
            for number, record in enumerate(heard):
                assert len(record.of(Message)) == (count if number else 0)


async def publish_at_once(client: Gossipsub, sent: list[bytes]) -> list[Published]:
    answers = []

    async def publish(data: bytes) -> None:
        answers.append(await client.publish("news", data))

    async with anyio.create_task_group() as tasks:
        for data in sent:
            tasks.start_soon(publish, data)
    return answers
