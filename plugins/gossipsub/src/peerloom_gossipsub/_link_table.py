"""LinkTable: the ways to all peers that speak gossipsub."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio

from ._actions import Priority
from ._encode import encode_rpc
from ._events import SlowPeer
from ._link import PeerLink
from ._rpc import Rpc

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Sequence

    from peerloom import PeerId
    from peerloom.plugin import PluginContext

    from ._actions import Send, Version
    from ._config import GossipsubConfig
    from ._rpc import WireMessage

FAREWELL_SECONDS: Final = 1.0  # a node gives its plugins two


class LinkTable:
    """Makes a link for each peer that is met, and puts into its queue what is sent to it."""

    def __init__(
        self, ctx: PluginContext, greet: Callable[[PeerId, Version], None], lost: Counter[str]
    ) -> None:
        """`greet` is called whenever a peer may not have heard of this node's topics."""
        self._ctx = ctx
        self._config: GossipsubConfig = ctx.config
        self._greet = greet
        self._lost = lost
        self._links: dict[PeerId, PeerLink] = {}
        self._versions: dict[PeerId, Version] = {}
        self._is_finishing = False

    def meet(self, peer: PeerId, version: Version) -> None:
        """A peer speaks gossipsub, which may be known already."""
        if self._is_finishing or peer in self._links or not self._ctx.connections(peer):
            return
        link = self._links[peer] = PeerLink(
            self._ctx, peer, self._config.max_queue_bytes, lambda: self.greet_again(peer)
        )
        self._versions[peer] = version
        self._greet(peer, version)
        self._ctx.spawn(link.run, self._config.heartbeat_seconds)

    def renew(self, peer: PeerId) -> None:
        """A peer has connected once more, perhaps in another life: its link greets it there."""
        if peer in self._links:
            self._links[peer].renew(self._config.heartbeat_seconds)

    def greet_again(self, peer: PeerId) -> None:
        """Our stream to a peer had broken, or is about to be a new one."""
        if peer in self._links:
            self._greet(peer, self._versions[peer])

    def lose(self, peer: PeerId) -> None:
        """A peer has gone."""
        if peer not in self._links:
            return
        link = self._links.pop(peer)
        link.close()
        if link.waiting_frames:
            self._lost["frame for a peer that has gone"] += link.waiting_frames
        del self._versions[peer]

    def send(self, send: Send) -> None:
        """Queue what the router sends."""
        frames = encode_rpc(send.rpc)
        for peer in send.peers:
            if (link := self._links.get(peer)) is None:
                continue
            together = send.priority is not Priority.GOSSIP
            for portion in [frames] if together else [[frame] for frame in frames]:
                if not link.offer(send.priority, portion):
                    self._lost[f"{send.priority.name.lower()} for a slow peer"] += len(portion)

    def offer(self, send: Send) -> Sequence[PeerLink]:
        """Queue a message of this node; gives the links that have no room for it."""
        frames = encode_rpc(send.rpc)
        links = [self._links[peer] for peer in send.peers if peer in self._links]
        return [link for link in links if not link.offer_in_turn(send.priority, frames)]

    async def wait_for_room(self, slow: Sequence[PeerLink], message: WireMessage) -> int:
        """Queue a message once there is room; gives how many peers were too slow for it."""
        frames = encode_rpc(Rpc(messages=(message,)))
        skipped = 0

        async def wait(link: PeerLink) -> None:
            nonlocal skipped
            if not await self._offer_patiently(link, frames):
                skipped += 1
                self._tell_of_skipped(link)

        async with anyio.create_task_group() as tasks:
            for link in slow:
                tasks.start_soon(wait, link)
        return skipped

    async def _offer_patiently(self, link: PeerLink, frames: Sequence[bytes]) -> bool:
        is_answered = False
        try:
            seconds = self._config.slow_peer_seconds
            is_taken = await link.offer_within(Priority.DATA, frames, seconds)
            is_answered = True
        finally:
            if not is_answered:
                self._lost["message given up by its publisher"] += 1
        return is_taken

    def _tell_of_skipped(self, link: PeerLink) -> None:
        if link.is_closed:
            self._lost["message skipped for a peer that has gone"] += 1
            return
        self._lost["message skipped for a slow peer"] += 1
        if link.is_newly_slow():
            self._ctx.emit(SlowPeer(link.peer, link.waiting_bytes))

    async def flush(self, patience_seconds: float, *, is_last: bool) -> tuple[int, int]:
        """Wait until peers have what is queued; gives how many have, and how many have not.

        A peer that takes nothing for `patience_seconds` is not waited for, nor one that goes.
        `is_last` says that they get nothing more.
        """
        done: list[bool] = []

        async def flush(link: PeerLink) -> None:
            done.append(await link.flush(patience_seconds, is_last=is_last))

        async with anyio.create_task_group() as tasks:
            for link in self._links.values():
                tasks.start_soon(flush, link)
        return done.count(True), done.count(False)

    async def finish(self) -> None:
        """Send what is queued, as far as that is quickly done, then end every stream."""
        self._is_finishing = True
        with anyio.move_on_after(FAREWELL_SECONDS):
            async with anyio.create_task_group() as tasks:
                for link in self._links.values():
                    tasks.start_soon(link.finish)
        for link in self._links.values():
            link.close()

    @property
    def waiting_bytes(self) -> int:
        """What is queued for all of them."""
        return sum(link.waiting_bytes for link in self._links.values())

    def __len__(self) -> int:
        return len(self._links)
