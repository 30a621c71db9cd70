"""Applications, validators and peers that are slower than messages come."""

from __future__ import annotations

import anyio

from peerloom._subscriptions import QUEUE_BOUND
from peerloom_gossipsub import Gossipsub, Message
from peerloom_gossipsub._validation import MAX_ASKED
from tests.gossipsub.crowd import UNSIGNED
from tests.gossipsub.routers import anonymous
from tests.gossipsub.simulated import Foreigner, beats, listening, member, simulate

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
