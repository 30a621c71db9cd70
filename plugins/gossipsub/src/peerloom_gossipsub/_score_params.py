"""How peers are scored: weights, decays and thresholds, as settings.

Source: libp2p/specs, gossipsub v1.1, peer scoring. Where the specification has a factor by which a
counter shrinks each interval, these have the time in which it shrinks to a hundredth.
"""

from __future__ import annotations

import math
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from attrs import Attribute, field, frozen

from peerloom import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def between(least: float, most: float) -> Callable[[Any, Attribute[Any], Any], None]:
    """An attrs validator for a finite number; raises `ConfigError`."""

    def check(_: object, attribute: Attribute[Any], value: float) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ConfigError(f"{attribute.name} must be a number, not {value!r}")
        if not math.isfinite(value) or not least <= value <= most:
            raise ConfigError(f"{attribute.name} must be from {least} to {most}, not {value}")

    return check


def _networks(_: object, attribute: Attribute[Any], networks: tuple[str, ...]) -> None:
    for each in networks:
        try:
            ip_network(each)
        except ValueError as error:
            raise ConfigError(f"{attribute.name}: {error}; write one such as 10.0.0.0/8") from None


_REWARD = between(0, math.inf)
_PENALTY = between(-math.inf, 0)
_POSITIVE = between(1e-9, math.inf)


@frozen
class TopicScore:
    """How what peers do in a topic counts. The defaults punish invalid messages and no more.

    Attributes:
        weight: of this topic among all.
        time_in_mesh_weight: for each quantum in our mesh (P1); at least 0.
        time_in_mesh_quantum_seconds: that quantum.
        time_in_mesh_cap: the most quanta that count.
        first_deliveries_weight: for each message that a peer was the first to bring (P2).
        first_deliveries_decay_seconds: how long such a message counts.
        first_deliveries_cap: the most that count.
        mesh_deliveries_weight: for the square of what a peer of our mesh brings too little (P3);
            at most 0. Only for topics whose rate of messages is known.
        mesh_deliveries_decay_seconds: how long a message that it has brought counts.
        mesh_deliveries_cap: the most that count.
        mesh_deliveries_threshold: how many are enough.
        mesh_deliveries_window_seconds: a message counts that comes so long after the first copy.
        mesh_deliveries_activation_seconds: how long a peer is in our mesh before that begins.
        mesh_failure_weight: for such a lack, remembered after a peer has left our mesh (P3b).
        mesh_failure_decay_seconds: how long it is remembered.
        invalid_weight: for the square of the invalid messages that a peer has brought (P4).
        invalid_decay_seconds: how long they are remembered.
    """

    weight: float = field(default=1.0, validator=_REWARD)
    time_in_mesh_weight: float = field(default=0.0, validator=_REWARD)
    time_in_mesh_quantum_seconds: float = field(default=1.0, validator=_POSITIVE)
    time_in_mesh_cap: float = field(default=3600.0, validator=_REWARD)
    first_deliveries_weight: float = field(default=0.0, validator=_REWARD)
    first_deliveries_decay_seconds: float = field(default=600.0, validator=_POSITIVE)
    first_deliveries_cap: float = field(default=2000.0, validator=_REWARD)
    mesh_deliveries_weight: float = field(default=0.0, validator=_PENALTY)
    mesh_deliveries_decay_seconds: float = field(default=60.0, validator=_POSITIVE)
    mesh_deliveries_cap: float = field(default=100.0, validator=_REWARD)
    mesh_deliveries_threshold: float = field(default=1.0, validator=_REWARD)
    mesh_deliveries_window_seconds: float = field(default=0.01, validator=_REWARD)
    mesh_deliveries_activation_seconds: float = field(default=5.0, validator=_REWARD)
    mesh_failure_weight: float = field(default=0.0, validator=_PENALTY)
    mesh_failure_decay_seconds: float = field(default=600.0, validator=_POSITIVE)
    invalid_weight: float = field(default=-1.0, validator=_PENALTY)
    invalid_decay_seconds: float = field(default=600.0, validator=_POSITIVE)


@frozen
class Thresholds:
    """What a score is enough for; below zero a peer is out of every mesh.

    Attributes:
        gossip: below it, no gossip is sent to a peer or taken from it.
        publish: below it, own messages are not sent to it.
        graylist: below it, all that it sends is ignored.
        accept_px: from it on, peers that it suggests are dialled.
        opportunistic_graft: below it (the median of a mesh), better peers are grafted.
    """

    gossip: float = field(default=-10.0, validator=_PENALTY)
    publish: float = field(default=-50.0, validator=_PENALTY)
    graylist: float = field(default=-80.0, validator=_PENALTY)
    accept_px: float = field(default=10.0, validator=_REWARD)
    opportunistic_graft: float = field(default=20.0, validator=_REWARD)

    def __attrs_post_init__(self) -> None:
        if not self.graylist <= self.publish <= self.gossip:
            raise ConfigError(
                "thresholds must be in this order: graylist <= publish <= gossip, not "
                f"{self.graylist}, {self.publish}, {self.gossip}"
            )


@frozen
class ScoreParams:
    """How peers are scored.

    Attributes:
        thresholds: what a score is enough for.
        default_topic: for each topic that `topics` does not name.
        topics: by topic.
        topics_cap: the most that all topics together add; 0 for no bound.
        application_weight: of the score that the application has set (P5).
        ip_colocation_weight: for the square of the peers beyond the threshold at one IP (P6); at
            most 0. Peers behind one NAT share an IP.
        ip_colocation_threshold: how many peers at one IP are none too many. An IPv6 address counts
            together with its network of 64 bits as well.
        ip_colocation_allowed: networks where that does not count, such as 10.0.0.0/8.
        behaviour_weight: for the square of the offences beyond the threshold (P7); at most 0.
        behaviour_threshold: how many offences are forgiven.
        behaviour_decay_seconds: how long an offence is remembered.
        retain_seconds: how long the score of a peer that has gone is remembered, if it is bad.
    """

    thresholds: Thresholds = field(factory=Thresholds)
    default_topic: TopicScore = field(factory=TopicScore)
    topics: Mapping[str, TopicScore] = field(factory=dict)
    topics_cap: float = field(default=0.0, validator=_REWARD)
    application_weight: float = field(default=1.0, validator=_REWARD)
    ip_colocation_weight: float = field(default=0.0, validator=_PENALTY)
    ip_colocation_threshold: int = field(default=10, validator=between(1, math.inf))
    ip_colocation_allowed: tuple[str, ...] = field(
        default=(), converter=tuple[str, ...], validator=_networks
    )
    behaviour_weight: float = field(default=-1.0, validator=_PENALTY)
    behaviour_threshold: float = field(default=6.0, validator=_REWARD)
    behaviour_decay_seconds: float = field(default=600.0, validator=_POSITIVE)
    retain_seconds: float = field(default=3600.0, validator=_REWARD)

    def of_topic(self, topic: str) -> TopicScore:
        """The settings of a topic."""
        return self.topics.get(topic, self.default_topic)
