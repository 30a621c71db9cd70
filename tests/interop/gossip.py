"""What the rows about gossipsub are played with: our nodes, foreign peers, and how they meet."""

from __future__ import annotations

import re
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

from attrs import frozen

from peerloom import KeyPair, PeerId
from peerloom.testing import Nodes, until
from peerloom_gossipsub import Gossipsub, Message, PeerSubscribed, PeerUnsubscribed

from .driver import Peer, peer
from .not_offered import WE_DIAL
from .pattern import pattern, pattern_sha256

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from peerloom import Node
    from peerloom.testing import Recorder

TOPIC: Final = "news"
LISTEN: Final = {"tcp": "/ip4/127.0.0.1/tcp/0", "quic": "/ip4/127.0.0.1/udp/0/quic-v1"}
# How each implementation tells messages apart: our name for its default.
IDS: Final = {"js": "js", "py": "go", "go": "go", "rust": "rust"}
WITHIN_SECONDS: Final = 20
# js-libp2p grafts nobody within 10 s of an UNSUBSCRIBE, rust and go neither: and a heartbeat more.
BACKOFF_SECONDS: Final = 30


class Play(Protocol):
    """Plays a row."""

    async def __call__(self, cast: Cast) -> None: ...


@frozen
class GossipRow:
    """A row of the matrix about gossipsub.

    Attributes:
        name: its name in the matrix.
        play: plays it.
        transport: what it is played over.
        is_long: it waits for most of its time, so that all its cells are played side by side.
    """

    name: str
    play: Play
    transport: str
    is_long: bool
    ends_streams: ClassVar = False

    def __str__(self) -> str:
        return "-".join(re.findall(r"\w+", self.name))


@frozen
class Us:
    """One of our nodes, with what it hears."""

    node: Node
    gossip: Gossipsub
    heard: Recorder

    @property
    def id(self) -> PeerId:
        """Its peer id."""
        return self.node.peer_id

    @property
    def address(self) -> str:
        """An address that it listens on, with its peer id."""
        return f"{self.node.addresses[0]}"

    async def hears_of(self, other: Peer) -> None:
        """Wait until a peer is subscribed."""
        them = PeerId.from_string(other.id)
        await self.heard.next(
            PeerSubscribed, lambda event: event.peer == them, within=WITHIN_SECONDS
        )

    async def hears_leaving(self, other: Peer) -> None:
        """Wait until a peer is not subscribed any more."""
        them = PeerId.from_string(other.id)
        await self.heard.next(
            PeerUnsubscribed, lambda event: event.peer == them, within=WITHIN_SECONDS
        )

    async def hears(self, author: Peer | Us | None, nbytes: int, seed: int) -> Message:
        """Wait for a message of this author, or of none, and this content."""
        data = data_of(seed, nbytes)
        source = PeerId.from_string(str(author.id)) if author else None
        return await self.heard.next(
            Message,
            lambda message: (message.source, message.data) == (source, data),
            within=WITHIN_SECONDS,
        )

    async def publish(self, nbytes: int, seed: int, topic: str = TOPIC) -> str:
        """Publish ``pattern(seed, nbytes)``; gives the message's id."""
        published = await self.gossip.publish(topic, data_of(seed, nbytes))
        return published.message_id.hex()

    async def counts(self) -> Mapping[str, int]:
        """What its router has counted."""
        status = await self.node.client.status()
        counts: Mapping[str, int] = status["plugins"]["gossipsub"]["report"]["counts"]
        return counts


@frozen
class Cast:
    """Starts who takes part in a row.

    Attributes:
        kind: which implementation the foreign peers are of.
        direction: who dials.
        transport: over what.
    """

    kind: str
    direction: str
    transport: str
    nodes: Nodes
    _stack: AsyncExitStack

    async def us(self, *, identity: KeyPair | None = None, **gossipsub: Any) -> Us:
        """One more node of ours, which tells messages apart as the foreign peers do."""
        settings = {"gossipsub": {"message_id": IDS[self.kind], **gossipsub}}
        listen = (LISTEN[self.transport],)
        [node] = await self.nodes(settings=settings, listen=listen, identity=identity)
        heard = self.nodes.record(node, Message, PeerSubscribed, PeerUnsubscribed)
        return Us(node, Gossipsub(node.client), heard)

    async def them(self, *, secret: str | None = None, **gossipsub: Any) -> Peer:
        """One more foreign peer."""
        return await self._stack.enter_async_context(
            peer(
                self.kind,
                gossipsub=gossipsub,
                transports=[self.transport],
                listen=[LISTEN[self.transport]],
                secret=secret,
            )
        )

    async def meet(self, us: Us, them: Peer) -> None:
        """Connect two, as the direction is; both know it then."""
        seen = len(them.events)
        if self.direction == WE_DIAL:
            await us.node.client.dial(them.address)
        else:
            await them.dial(us.address)
        await them.event("connected", peer=str(us.id), after=seen)


@asynccontextmanager
async def cast_of(kind: str, direction: str, transport: str) -> AsyncIterator[Cast]:
    """A cast, whose peers and nodes end with the block."""
    async with Nodes() as nodes, AsyncExitStack() as stack:
        yield Cast(kind, direction, transport, nodes, stack)


async def meshed(us: Us, them: Peer, topic: str = TOPIC, within: float = WITHIN_SECONDS) -> None:
    """Wait until each has the other in its mesh."""
    other = PeerId.from_string(them.id)
    await until(lambda: us.gossip.mesh_peers(topic), lambda mesh: other in mesh, within=within)
    await until(lambda: them.mesh(topic), lambda mesh: str(us.id) in mesh, within=within)


async def subscribe_both(us: Us, them: Peer, topic: str = TOPIC) -> None:
    """Subscribe two that are connected, and wait until they are in each other's mesh."""
    await us.gossip.subscribe(topic)
    await them.subscribe(topic)
    await us.hears_of(them)
    await them.event("subscribed", peer=str(us.id), topic=topic)
    await meshed(us, them, topic)


async def they_hear(them: Peer, author: Peer | Us, nbytes: int, seed: int) -> dict[str, Any]:
    """Wait until a foreign peer tells of a message of this author and content."""
    return await them.event(
        "message",
        author=str(author.id),
        sha256=pattern_sha256(seed, nbytes),
        within=WITHIN_SECONDS,
    )


def data_of(seed: int, nbytes: int) -> bytes:
    """The bytes that a foreign peer publishes for these."""
    return b"".join(pattern(seed, nbytes))
