"""A TCP path between two nodes that can be frozen: both ends stand, and nothing passes."""

from __future__ import annotations

from contextlib import asynccontextmanager

import anyio


class Lane:
    """Its `address` leads to the node; once frozen, whoever is at the ends is not told of it."""

    def __init__(self, address, target):
        self.address = address
        self._target = target
        self._frozen = False
        self._scope = anyio.CancelScope()

    def freeze(self):
        """From now on nothing passes, not even an end."""
        self._frozen = True

    def cut(self):
        """Its connections end."""
        self._scope.cancel()

    async def carry(self, near):
        host, port = self._target
        far = await anyio.connect_tcp(host, port)
        with self._scope:
            async with near, far, anyio.create_task_group() as tasks:
                tasks.start_soon(self._pump, near, far)
                await self._pump(far, near)

    async def _pump(self, source, sink):
        try:
            async for data in source:
                if not self._frozen:
                    await sink.send(data)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass
        if self._frozen:
            await anyio.sleep_forever()
        await sink.send_eof()


@asynccontextmanager
async def lane_to(node):
    """A lane to a node that listens on TCP."""
    target = node.addresses[0]
    port = int(target.value_for_protocol("tcp"))
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    near_port = listener.extra(anyio.abc.SocketAttribute.local_port)
    lane = Lane(str(target).replace(f"/tcp/{port}", f"/tcp/{near_port}"), ("127.0.0.1", port))
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, lane.carry)
        yield lane
        tasks.cancel_scope.cancel()
