"""Who stays when a mesh is cut. Source: libp2p/specs, gossipsub v1.1, heartbeat maintenance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from peerloom import PeerId

    from ._config import Degrees

T = TypeVar("T")


class Chance(Protocol):
    """What the router needs of `Runtime.random`."""

    def shuffle(self, x: list[Any]) -> None:
        """Put a list into any order."""
        ...

    def sample(self, population: list[T], k: int) -> list[T]:
        """So many of a list, in any order."""
        ...


def survivors(
    peers: Iterable[PeerId],
    degrees: Degrees,
    chance: Chance,
    score: Callable[[PeerId], float],
    is_outbound: Callable[[PeerId], bool],
) -> list[PeerId]:
    """The best by score, others by chance, and among them as many dialled ones as there must be."""
    ranked = list(peers)
    chance.shuffle(ranked)  # equal scores shall not decide by their order
    ranked.sort(key=score, reverse=True)
    rest = ranked[degrees.score :]
    chance.shuffle(rest)
    ranked[degrees.score :] = rest
    kept, others = ranked[: degrees.wanted], ranked[degrees.wanted :]
    missing = degrees.out - sum(map(is_outbound, kept))
    if missing <= 0:
        return kept
    spare = [peer for peer in others if is_outbound(peer)][:missing]
    replaceable = [peer for peer in reversed(kept) if not is_outbound(peer)][: len(spare)]
    return [peer for peer in kept if peer not in replaceable] + spare
