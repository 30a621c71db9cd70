"""Gossip: py-libp2p's gossipsub, freed of its known traps."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

import trio
from libp2p.pubsub import gossipsub
from libp2p.pubsub.gossipsub import GossipSub
from libp2p.pubsub.pubsub import Pubsub
from libp2p.tools.anyio_service import background_trio_service

from tests.interop.pattern import pattern

from .channel import Channel, Fields, Unsupported
from .fields import complete

if TYPE_CHECKING:
    from libp2p.host.basic_host import BasicHost
    from libp2p.peer.id import ID
    from libp2p.pubsub.pb.rpc_pb2 import RPC, Message

_DEFAULTS: Final[Fields] = {
    "signing": "strict-sign",
    "message_id": "library",
    "d": 6,
    "d_low": 4,
    "d_high": 12,
    "heartbeat_seconds": 1,
    "max_bytes": 1024 * 1024,
    "scores": False,
    "verdict": "accept",
    # What it has not, as it plays without.
    "d_lazy": None,
    "d_out": 0,
    "flood_publish": False,
}
# Its message cache knows messages by author and number (mcache.py), which each of its messages has
# (pubsub.py, publish); a validator says yes or no, and its scores are placeholders (score.py).
_PLAYED: Final[dict[str, tuple[object, ...]]] = {
    "signing": ("strict-sign",),
    "message_id": ("library",),
    "d_lazy": (None,),
    "d_out": (0,),
    "flood_publish": (False,),
    "scores": (False,),
    "verdict": ("accept", "reject"),
}
_PROTOCOLS: Final = (
    gossipsub.PROTOCOL_ID_V20,
    gossipsub.PROTOCOL_ID_V14,
    gossipsub.PROTOCOL_ID_V13,
    gossipsub.PROTOCOL_ID_V12,
    gossipsub.PROTOCOL_ID_V11,
    gossipsub.PROTOCOL_ID,
)


class Gossip:
    def __init__(self, settings: Fields, host: BasicHost, channel: Channel) -> None:
        fields = complete(settings, _DEFAULTS)
        for name, played in _PLAYED.items():
            if fields[name] not in played:
                raise Unsupported(f"py-libp2p's gossipsub has no {name} {fields[name]}")
        self._accepts = fields["verdict"] == "accept"
        # Spam protection takes ten messages a second; the adaptive mode turns a heartbeat of one
        # second into a minute; the protection from eclipses wants many networks.
        self._router: Any = _Router(
            _PROTOCOLS,
            degree=fields["d"],
            degree_low=fields["d_low"],
            degree_high=fields["d_high"],
            heartbeat_initial_delay=fields["heartbeat_seconds"],
            heartbeat_interval=fields["heartbeat_seconds"],
            adaptive_gossip_enabled=False,
            spam_protection_enabled=False,
            eclipse_protection_enabled=False,
        )
        self._pubsub: Any = _Telling(channel, host, self._router, fields["max_bytes"])

    async def run(self, task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
        async with (
            background_trio_service(self._pubsub),
            background_trio_service(self._router),
        ):
            await self._pubsub.wait_until_ready()
            task_status.started()
            await trio.sleep_forever()

    async def subscribe(self, topic: str) -> None:
        self._pubsub.set_topic_validator(topic, lambda *_: self._accepts, False)  # noqa: FBT003
        await self._pubsub.subscribe(topic)

    async def unsubscribe(self, topic: str) -> None:
        await self._pubsub.unsubscribe(topic)

    async def publish(self, topic: str, bytes: int, seed: int) -> Fields:  # noqa: A002
        await self._pubsub.publish(topic, b"".join(pattern(seed, bytes)))
        number: int = self._pubsub.counter
        return {"message": (self._pubsub.my_id.to_bytes() + number.to_bytes(8)).hex()}

    async def mesh(self, topic: str) -> Fields:
        return {"peers": _texts(self._router.mesh.get(topic, ()))}

    async def subscribers(self, topic: str) -> Fields:
        return {"peers": _texts(self._pubsub.peer_topics.get(topic, ()))}


class _Router(GossipSub):
    def _perform_opportunistic_grafting(self, *_: Any) -> int:
        """It grafts, in every heartbeat and past its bounds, whoever is as good as its mesh."""
        return 0


class _Telling(Pubsub):
    """Tells of what it hears at once; its own subscriptions drop what comes behind 32 messages."""

    def __init__(self, channel: Channel, host: BasicHost, router: Any, max_bytes: int) -> None:
        super().__init__(host, router, max_inbound_rpc_size=max_bytes)
        self._channel = channel

    def handle_subscription(self, origin_id: ID, sub_message: RPC.SubOpts) -> None:
        super().handle_subscription(origin_id, sub_message)
        event = "subscribed" if sub_message.subscribe else "unsubscribed"
        self._channel.emit(event, peer=origin_id.to_string(), topic=sub_message.topicid)

    def notify_subscriptions(self, publish_message: Message) -> None:
        author = type(self.my_id)(publish_message.from_id)
        for topic in publish_message.topicIDs:
            if topic in self.topic_ids and author != self.my_id:
                self._channel.emit(
                    "message",
                    topic=topic,
                    author=author.to_string(),
                    **{"from": None},
                    message=self.get_message_id(publish_message).hex(),
                    bytes=len(publish_message.data),
                    sha256=hashlib.sha256(publish_message.data).hexdigest(),
                )


def _texts(peers: Any) -> list[str]:
    return [peer.to_string() for peer in peers]
