"""The way to one peer, when much happens to it at a time."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from peerloom import NoHandler, StreamReset
from peerloom.plugin import Ping
from peerloom_gossipsub import _link
from peerloom_gossipsub._actions import Priority
from peerloom_gossipsub._encode import framed
from peerloom_gossipsub._link import PeerLink
from tests.gossipsub.peers import peer


class Pipe:
    """A stream that takes nothing until it may."""

    def __init__(self, flows):
        self.flows = flows
        self.taken = b""
        self.is_ended = anyio.Event()

    async def send(self, data):
        await self.flows.wait()
        self.taken += data

    async def send_eof(self):
        self.is_ended.set()

    async def receive(self):
        await self.is_ended.wait()
        raise anyio.EndOfStream

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

    async def call(self, command):
        raise NoHandler(type(command))


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


class Streams(Context):
    """A connection on which every stream is another one."""

    async def open_stream(self, *_, **__):
        self.pipes.append(Pipe(self.pipes[0].flows))
        return self.pipes[-1]


async def test_what_is_flushed_is_read_to_the_end_and_what_comes_later_goes_over_another_stream():
    ctx: Any = Streams()
    ctx.connect(flows := anyio.Event())
    greeted = anyio.Event()
    link = PeerLink(ctx, peer(1), 2**20, greeted.set)
    link.offer(Priority.DATA, [much := bytes(2**17)])
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(link.run, 1.0)
            assert not await link.flush(0.0, is_last=True)
            flows.set()
            assert await link.flush(2.0, is_last=True)
            first = ctx.pipes[1]
            assert (first.taken, first.is_ended.is_set()) == (framed(much), True)
            await greeted.wait()
            link.offer(Priority.DATA, [b"more"])
            assert await link.flush(2.0, is_last=True)
            second = ctx.pipes[2]
            # So little is gone before a node is.
            assert (second.taken, second.is_ended.is_set()) == (framed(b"more"), False)
            link.close()


class Deaf(Pipe):
    """One whose peer does not end it in turn, as js-libp2p's."""

    async def receive(self):
        await anyio.sleep_forever()


class Pinged(Streams):
    """Such streams only, to a peer that can be pinged."""

    pings = 0

    async def open_stream(self, *_, **__):
        self.pipes.append(Deaf(self.pipes[0].flows))
        return self.pipes[-1]

    async def call(self, command):
        assert command == Ping(peer(1))
        self.pings += 1
        return 0.01


def link_with_much_to_send():
    """To a peer that takes it at once."""
    ctx: Any = Pinged()
    ctx.connect(flows := anyio.Event())
    flows.set()
    link = PeerLink(ctx, peer(1), 2**20, lambda: None)
    link.offer(Priority.DATA, [bytes(2**17)])
    return link


async def test_a_peer_that_ends_no_stream_in_turn_is_waited_for_as_long_as_pings_take():
    link = link_with_much_to_send()
    with anyio.fail_after(_link._RECEIPT_SECONDS / 2):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(link.run, 1.0)
            assert await link.flush(60.0, is_last=True)
            link.close()


async def test_a_flush_that_is_not_the_last_waits_for_a_ping_and_keeps_the_stream():
    ctx: Any = Pinged()
    ctx.connect(flows := anyio.Event())
    link = PeerLink(ctx, peer(1), 2**20, lambda: None)
    link.offer(Priority.DATA, [bytes(2**17)])
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(link.run, 1.0)
            assert not await link.flush(0.0, is_last=False)
            assert ctx.pings == 0
            flows.set()
            assert await link.flush(60.0, is_last=False)
            assert ctx.pings == 1
            assert len(ctx.pipes) == 2
            assert not ctx.pipes[1].is_ended.is_set()
            link.close()


async def test_what_is_queued_after_a_flush_was_asked_for_is_not_waited_for():
    ctx: Any = Context()
    ctx.connect(flows := anyio.Event())
    flows.set()
    link = PeerLink(ctx, peer(1), 1000, lambda: None)

    async def publish_on() -> None:
        while True:
            link.offer(Priority.DATA, [b"said"])
            await checkpoint()

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(link.run, 1.0)
            tasks.start_soon(publish_on)
            await anyio.sleep(0.01)
            assert await link.flush(60.0, is_last=False)
            link.close()
            tasks.cancel_scope.cancel()


async def test_a_peer_that_goes_has_not_been_sent_what_was_queued():
    ctx: Any = Context()
    ctx.connect(anyio.Event())
    link = PeerLink(ctx, peer(1), 1000, lambda: None)
    link.offer(Priority.DATA, [b"said"])
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(link.run, 1.0)
            tasks.start_soon(_close_when_waited_for, link)
            assert not await link.flush(60.0, is_last=True)


async def test_a_peer_that_goes_before_it_has_read_all_has_not_been_reached():
    link = link_with_much_to_send()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(link.run, 1.0)
            tasks.start_soon(_close_when_waited_for, link)
            assert not await link.flush(60.0, is_last=True)


async def _close_when_waited_for(link):
    await anyio.wait_all_tasks_blocked()
    link.close()


class Reset(Pipe):
    """One that its peer resets, as soon as that is wanted."""

    def __init__(self, flows, *, refuses_end=False):
        super().__init__(flows)
        self.is_reset = anyio.Event()
        self.refuses_end = refuses_end

    async def send_eof(self):
        if self.refuses_end:
            raise StreamReset
        self.is_reset.set()

    async def receive(self):
        await self.is_reset.wait()
        raise StreamReset


class Fickle(Context):
    """A peer that resets the first stream, and reads the next to its end."""

    def __init__(self, **settings):
        super().__init__()
        flows = anyio.Event()
        flows.set()
        self.pipes = [Reset(flows, **settings), Pipe(flows)]
        self.opened = iter(self.pipes)

    async def open_stream(self, *_, **__):
        return next(self.opened)

    async def call(self, command):
        assert command == Ping(peer(1))
        self.pipes[0].is_reset.set()
        await anyio.wait_all_tasks_blocked()
        return 0.01


@pytest.mark.parametrize(("is_last", "refuses_end"), [(True, False), (True, True), (False, False)])
async def test_a_peer_that_resets_what_was_sent_to_it_has_not_been_reached(is_last, refuses_end):
    ctx: Any = Fickle(refuses_end=refuses_end)
    link = PeerLink(ctx, peer(1), 2**20, lambda: None)
    link.offer(Priority.DATA, [bytes(2**17)])
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(link.run, 0.01)
            assert not await link.flush(2.0, is_last=is_last)
            link.offer(Priority.DATA, [bytes(2**17)])
            assert await link.flush(2.0, is_last=True)
            link.close()


async def test_a_peer_whose_stream_was_cut_for_a_newer_connection_has_not_been_reached():
    ctx: Any = Context()
    flows = anyio.Event()
    flows.set()
    ctx.pipes = [Deaf(flows)]
    link = PeerLink(ctx, peer(1), 2**20, lambda: None)
    link.offer(Priority.DATA, [bytes(2**17)])

    async def connect_anew() -> None:
        await ctx.pipes[0].is_ended.wait()
        ctx.connect(flows)
        link.renew(0.0)

    with anyio.fail_after(_link._RECEIPT_SECONDS / 2):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(link.run, 1.0)
            tasks.start_soon(connect_anew)
            assert not await link.flush(60.0, is_last=True)
            assert ctx.pipes[1].is_ended.is_set()
            link.close()
