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
    MeshPeers,
    MeshStats,
    PeerScore,
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

__all__ = [
    "PROTOCOLS",
    "Degrees",
    "Duplicate",
    "Gossipsub",
    "GossipsubConfig",
    "MeshPeers",
    "MeshStats",
    "Message",
    "MessageTooLarge",
    "Messages",
    "NoPeersSubscribedToTopic",
    "PeerScore",
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
    "TopicScore",
    "TopicTooLong",
    "Unsubscribe",
    "Unsubscribed",
    "Validator",
    "Verdict",
    "context_topic",
]
