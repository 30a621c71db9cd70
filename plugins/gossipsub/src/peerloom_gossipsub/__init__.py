"""Publish to topics and hear them: gossipsub 1.0, 1.1 and 1.2.

Source: libp2p/specs, pubsub and pubsub/gossipsub.

::

    gossip = Gossipsub(node.client)
    async with gossip.messages("news") as messages:
        async for message in messages:
            ...
"""

from __future__ import annotations

from ._actions import Verdict
from ._client import Gossipsub
from ._commands import (
    Flush,
    Flushed,
    HoldPeers,
    MeshPeers,
    MeshStats,
    PeerScores,
    Publish,
    Published,
    SetPeerScore,
    SetValidator,
    Subscribe,
    SubscribedPeers,
    Unsubscribe,
    Validator,
)
from ._config import Degrees, GossipsubConfig
from ._errors import (
    Duplicate,
    MessageTooLarge,
    NoPeersSubscribedToTopic,
    PublishError,
    TopicHasValidator,
    TopicTooLong,
)
from ._events import (
    Message,
    PeerSubscribed,
    PeerUnsubscribed,
    SlowPeer,
    Subscribed,
    Unsubscribed,
)
from ._messages import Messages
from ._protocols import PROTOCOLS
from ._score_params import ScoreParams, Thresholds, TopicScore
from ._signing import SigningPolicy
from ._topics import context_topic
from ._wishes import Wish

__all__ = [
    "PROTOCOLS",
    "Degrees",
    "Duplicate",
    "Flush",
    "Flushed",
    "Gossipsub",
    "GossipsubConfig",
    "HoldPeers",
    "MeshPeers",
    "MeshStats",
    "Message",
    "MessageTooLarge",
    "Messages",
    "NoPeersSubscribedToTopic",
    "PeerScores",
    "PeerSubscribed",
    "PeerUnsubscribed",
    "Publish",
    "PublishError",
    "Published",
    "ScoreParams",
    "SetPeerScore",
    "SetValidator",
    "SigningPolicy",
    "SlowPeer",
    "Subscribe",
    "Subscribed",
    "SubscribedPeers",
    "Thresholds",
    "TopicHasValidator",
    "TopicScore",
    "TopicTooLong",
    "Unsubscribe",
    "Unsubscribed",
    "Validator",
    "Verdict",
    "Wish",
    "context_topic",
]
