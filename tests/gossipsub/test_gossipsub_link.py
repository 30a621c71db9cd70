"""The way to one peer, when much happens to it at a time."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import anyio

from peerloom_gossipsub._actions import Priority
from peerloom_gossipsub._encode import framed
from peerloom_gossipsub._link import PeerLink
from tests.gossipsub.peers import peer


class Pipe:
    """A stream that takes nothing until it may."""

    def __init__(self, flows):
        self.flows = flows
        self.taken = b""

    async def send(self, data):
        await self.flows.wait()
        self.taken += data

    async def receive(self):
        await anyio.sleep_forever()

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        pass


class Context:
    """A peer to whom connections lead, each with its stream."""

    def __init__(self):
        self.runtime = SimpleNamespace(now=anyio.current_time)
        self.pipes = []

    def connect(self, flows):
        self.pipes.append(Pipe(flows))

    def connections(self, _):
        return [SimpleNamespace(id=number, limits=None) for number, _ in enumerate(self.pipes)]

    async def open_stream(self, *_, connection_id, **__):
        return self.pipes[connection_id]


async def test_what_is_queued_goes_out_over_the_newer_connection_also_at_the_end():
    ctx: Any = Context()
    never, always = anyio.Event(), anyio.Event()
    always.set()
    ctx.connect(never)
    link = PeerLink(ctx, peer(1), 1000, lambda: None)
    link.offer(Priority.DATA, [b"said"])
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(link.run, 1.0)
            await anyio.wait_all_tasks_blocked()
            ctx.connect(always)
            link.renew(0.0)
            await link.finish()
    assert ctx.pipes[1].taken == framed(b"said")
