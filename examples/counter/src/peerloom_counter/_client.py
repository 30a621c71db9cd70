"""Counters: the plugin's commands as methods."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerloom import PeerId

from ._commands import Increment, Value

if TYPE_CHECKING:
    from peerloom import NetworkClient


class Counters:
    """The numbers that peers keep: ``Counters(node.client)``."""

    def __init__(self, client: NetworkClient) -> None:
        """Use a node's plugin; raises `NoHandler` if it has none."""
        client.require(Increment)
        self._client = client

    async def increment(self, peer: PeerId | str, name: str, by: int = 1) -> int:
        """Have a peer add to one of its numbers, dialling it if need be; gives the new value.

        Raises `CounterRefused` when the peer does not count so far or so many names, and what
        `open_stream` of `NetworkClient` raises.
        """
        return await self._client.call(Increment(peer_id(peer), name, by))

    async def value(self, peer: PeerId | str, name: str) -> int:
        """Ask a peer for one of its numbers; raises what `open_stream` raises."""
        return await self._client.call(Value(peer_id(peer), name))


def peer_id(peer: PeerId | str) -> PeerId:
    """A peer id that may be text."""
    return PeerId.from_string(peer) if isinstance(peer, str) else peer
