"""Dials to explicit peers, and to those that others suggest (peer exchange).

Source: libp2p/specs, gossipsub v1.1.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from peerloom import DialFailed, MalformedMessage
from peerloom.plugin import open_peer_record

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence

    from multiaddr import Multiaddr

    from peerloom.plugin import PluginContext

    from ._actions import Connect
    from ._config import GossipsubConfig

MAX_DIALS: Final = 16  # at a time, of peers that others suggest


class Dials:
    """Connects, where a peer's signed record says that it is, or where the node knows it to be."""

    def __init__(self, ctx: PluginContext, losses: Counter[str]) -> None:
        self._ctx = ctx
        self._config: GossipsubConfig = ctx.config
        self._losses = losses
        self._count = 0

    def begin(self, connect: Connect) -> None:
        """Dial, unless others suggest more than can be dialled."""
        if self._count >= MAX_DIALS and connect.peer not in self._config.explicit_peers:
            self._losses["suggested peer not dialled"] += 1
            return
        self._count += 1
        self._ctx.spawn(self._dial, connect)

    async def _dial(self, connect: Connect) -> None:
        try:
            with suppress(DialFailed):
                await self._ctx.dial(connect.peer, self._addresses(connect))
        finally:
            self._count -= 1

    def _addresses(self, connect: Connect) -> Sequence[Multiaddr]:
        if connect.record is None:
            return ()
        with suppress(MalformedMessage):
            record = open_peer_record(connect.record)
            if record.peer == connect.peer:
                return record.addresses
        self._losses["suggested record is not the peer's"] += 1
        return ()
