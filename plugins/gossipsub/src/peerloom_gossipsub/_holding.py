"""Which connections gossipsub keeps open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from peerloom import PeerId

    from ._router import Router

FRESH_SECONDS: Final = 1.0  # the swarm asks for each of a thousand connections at a time


class Holding:
    """Explicit peers and those of meshes, and of the others that share a topic a bounded number.

    Those who have subscribed first come first. The connections of the rest are closed when nobody
    else needs them, so that limits have something to trim.
    """

    def __init__(
        self, router: Router, explicit: Sequence[PeerId], most: int, now: Callable[[], float]
    ) -> None:
        """`most` bounds those that are held, unless more are explicit or in meshes."""
        self._router = router
        self._explicit = explicit
        self._most = most
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
        topics = tuple(router.mesh_sizes())
        for topic in topics:
            held.update(dict.fromkeys(router.mesh_peers(topic)))
        sharing = (peer for topic in topics for peer in router.subscribed_peers(topic))
        for peer in sharing:
            if len(held) >= self._most:
                break
            held[peer] = None
        return held.keys()
