"""A node and an honest peer that talk to each other while the node is attacked."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import anyio
from attrs import define, field

from peerloom_gossipsub import Gossipsub, Message
from tests.hostile.gossip_attacks import TOPIC
from tests.hostile.siege import SETTLE_SECONDS, Siege, measured, rss, siege
from tests.hostile.ways import TCP_TLS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from anyio.abc import TaskStatus

TALK_SECONDS: Final = 0.02  # between two messages of the honest peer
MAX_DELAY_SECONDS: Final = 2.0  # of any of them


@define
class Talk:
    """A siege in which the honest peer publishes all the time.

    Attributes:
        scene: the siege.
        node: the victim's gossipsub.
        honest: the other's.
        arrived: what the victim has heard of the honest peer, in order.
        sent: what the honest one has published.
    """

    scene: Siege
    node: Gossipsub
    honest: Gossipsub
    arrived: list[bytes] = field(factory=list)
    sent: list[bytes] = field(factory=list)

    async def report(self) -> dict[str, Any]:
        """What gossipsub says of itself."""
        report: dict[str, Any] = (await self.scene.status())["plugins"]["gossipsub"]["report"]
        return report

    async def counts(self) -> Counter[str]:
        return Counter((await self.report())["counts"])

    async def talk(self) -> None:
        while True:
            data = b"%d" % len(self.sent)
            await self.honest.publish(TOPIC, data)
            self.sent.append(data)
            await anyio.sleep(TALK_SECONDS)

    @asynccontextmanager
    async def sampled(self, figure: str) -> AsyncGenerator[list[int], None]:
        """What a figure of the report is, again and again."""
        samples: list[int] = []

        async def sample() -> None:
            while True:
                samples.append((await self.report())[figure])
                await anyio.sleep(0.01)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(sample)
            yield samples
            tasks.cancel_scope.cancel()

    async def listen(self, *, task_status: TaskStatus[None]) -> None:
        async with self.scene.node.client.events(Message) as events:
            task_status.started()
            async for event in events:
                assert isinstance(event, Message), event  # none may have been missed
                if event.source == self.scene.honest.peer_id:
                    self.arrived.append(event.data)

    async def until_counted(self, cause: str, count: int) -> None:
        """Wait until a cause has been counted so often."""
        with anyio.fail_after(SETTLE_SECONDS):
            while (await self.counts())[cause] < count:  # noqa: ASYNC110
                await anyio.sleep(0.01)

    async def until_nothing_waits(self) -> None:
        """Wait until all that has come is judged."""
        with anyio.fail_after(SETTLE_SECONDS):
            while (await self.report())["pending_bytes"]:  # noqa: ASYNC110
                await anyio.sleep(0.01)
        await self.until_alone()
        assert (await self.report())["unfinished_bytes"] == 0

    async def until_alone(self) -> None:
        """Wait until only the honest peer is left."""
        await self.scene.wait_for("the attackers have gone", lambda swarm: swarm["peers"] == 1)

    async def wait_until_heard(self, data: bytes, seconds: float = MAX_DELAY_SECONDS) -> None:
        with anyio.move_on_after(seconds):
            while data not in self.arrived[-3:]:  # noqa: ASYNC110
                await anyio.sleep(0.01)
        assert self.arrived[-1:] == [data], await self.report()


@asynccontextmanager
async def talking(**settings: Any) -> AsyncGenerator[Talk, None]:
    """A node and an honest peer in one topic."""
    async with siege(TCP_TLS, gossipsub=settings) as scene:
        node, honest = Gossipsub(scene.node.client), Gossipsub(scene.honest.client)
        await node.subscribe(TOPIC)
        await honest.subscribe(TOPIC)
        talk = Talk(scene, node, honest)
        with anyio.fail_after(SETTLE_SECONDS):
            while not (await honest.mesh_peers(TOPIC) and await node.mesh_peers(TOPIC)):  # noqa: ASYNC110
                await anyio.sleep(0.01)
        async with anyio.create_task_group() as tasks:
            await tasks.start(talk.listen)
            yield talk
            tasks.cancel_scope.cancel()


@asynccontextmanager
async def attacked(talk: Talk) -> AsyncGenerator[None, None]:
    """Hold the attack inside to the pass rule; all that the honest peer says arrives, once."""
    async with measured(talk.scene), anyio.create_task_group() as tasks:
        tasks.start_soon(talk.talk)
        yield
        tasks.cancel_scope.cancel()
    await talk.wait_until_heard(talk.sent[-1])
    assert talk.arrived == talk.sent


def trimmed_rss() -> int:
    """Resident memory without what was freed: glibc keeps that for later."""
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)
    return rss()
