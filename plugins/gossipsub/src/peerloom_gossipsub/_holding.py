"""Which connections gossipsub keeps open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from peerloom import PeerId

    from ._config import GossipsubConfig
    from ._router import Router
    from ._wishes import Wishes

FRESH_SECONDS: Final = 1.0  # the swarm asks for each of a thousand connections at a time


class Holding:
    """Explicit peers and those of meshes, and of the others that are of use a bounded number.

    First those that share a topic, by subscription or because this node publishes to it, and of
    them those who have subscribed first; then those that have brought messages lately; then,
    while somebody waits for peers or a topic has none, all that may still subscribe. The
    connections of the rest are closed when nobody else needs them, so that limits have something
    to trim.
    """

    def __init__(
        self,
        router: Router,
        wishes: Wishes,
        config: GossipsubConfig,
        now: Callable[[], float],
    ) -> None:
        self._router = router
        self._wishes = wishes
        self._explicit = config.explicit_peers
        self._most = config.max_held_peers
        self._now = now
        self._held: Collection[PeerId] = ()
        self._fresh_until = now()

    def __contains__(self, peer: PeerId) -> bool:
        now = self._now()
        if now >= self._fresh_until:
            self._held = self._choose()
            self._fresh_until = now + FRESH_SECONDS
        return peer in self._held

    def _choose(self) -> Collection[PeerId]:
        router = self._router
        held = dict.fromkeys(self._explicit)
        for topic in router.mesh_sizes():
            held.update(dict.fromkeys(router.mesh_peers(topic)))
        for peer in self._useful():
            if len(held) >= self._most:
                break
            held[peer] = None
        return held.keys()

    def _useful(self) -> Iterator[PeerId]:
        router, topics = self._router, tuple(self._router.mesh_sizes())
        for topic in (*topics, *router.published_topics()):
            yield from router.subscribed_peers(topic)
        yield from router.bringers(self._now())
        if self._wishes.waiting or not all(map(router.subscribed_peers, topics)):
            yield from router.peers()
