"""Peerloom without `async`, for scripts, Django and notebooks: the same node, client and events.

::

    with Node(NetworkConfig(listen=["/ip4/0.0.0.0/tcp/2428"])) as node:
        with node.client.events(PeerConnected) as events:
            peer = node.client.dial(address).peer
            print(events.next(timeout=5))
        with node.client.open_stream(peer, "/echo/1") as stream:
            stream.send(b"hello")
            print(stream.receive(timeout=5))

The node runs in an event loop of its own, in a thread of its own, so that it may be used where
another loop runs already, as in a notebook. What is async besides is used through the node, which
is a `Portal`: it runs functions, enters context managers, and iterates::

    streams = Streams(node.async_client)
    with node.enter(streams.accept("/chat/1")) as incoming:
        for stream in node.iterate(incoming):
            node.run(stream.send, b"hello")

Errors are raised in the thread that called. Ctrl-C cancels the call that the main thread waits for.

Threads do not live on in a forked process: make the node after the fork (in a Django worker, not
before it), or every use of it raises `NodeClosed`.
"""

from ._client import NetworkClient
from ._node import Node
from ._portal import Portal
from ._stream import Stream
from ._subscription import Subscription

__all__ = ["NetworkClient", "Node", "Portal", "Stream", "Subscription"]
