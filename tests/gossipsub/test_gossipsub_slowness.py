"""Applications, validators and peers that are slower than messages come."""

from __future__ import annotations

import anyio

from peerloom._subscriptions import QUEUE_BOUND
from peerloom_gossipsub import Gossipsub, Message
from tests.gossipsub.simulated import listening, member, simulate

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
