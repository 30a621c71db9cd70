"""All that the router knows, in one place for its parts."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ._backoff import Backoffs
from ._deliveries import Deliveries
from ._message_cache import MessageCache
from ._outbox import Outbox
from ._peer_scores import PeerScores
from ._peers import PeerTable
from ._promises import Promises
from ._seen import SeenMessages

if TYPE_CHECKING:
    from peerloom import PeerId

    from ._config import GossipsubConfig
    from ._message_ids import MessageIdFunction
    from ._selection import Chance


class RouterState:
    """The stores of a router, each bounded, and its outbox.

    Attributes:
        heartbeat: how many there were.
        counts: what was ignored, refused or left out: how often, by cause.
    """

    def __init__(
        self,
        config: GossipsubConfig,
        local_peer: PeerId,
        chance: Chance,
        message_id: MessageIdFunction | None = None,
        scores: dict[PeerId, float] | None = None,
    ) -> None:
        self.config = config
        self.local_peer = local_peer
        self.chance = chance
        self.message_id = message_id or config.message_id_function()
        self.thresholds = config.score.thresholds
        self.explicit = dict.fromkeys(config.explicit_peers)
        self.peers = PeerTable()
        self.scores = PeerScores(config.score, {} if scores is None else scores)
        self.deliveries = Deliveries(config.score, self.scores, config.seen_seconds)
        self.backoffs = Backoffs(slack_seconds=config.heartbeat_seconds)
        self.promises = Promises()
        self.seen = SeenMessages(config.seen_seconds, config.max_seen)
        self.cache = MessageCache(
            config.history_heartbeats, config.gossip_heartbeats, config.cache_bytes
        )
        self.outbox = Outbox()
        self.counts: Counter[str] = Counter()
        self.heartbeat = 0

    def score(self, peer: PeerId) -> float:
        """What this node thinks of a peer."""
        return self.scores.score(peer)

    def sample(self, peers: list[PeerId], count: int) -> list[PeerId]:
        """So many of the peers, by chance."""
        return self.chance.sample(peers, min(max(count, 0), len(peers)))
