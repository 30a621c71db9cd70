"""The swarm: transports, upgrade, dialling, listening, connections, limits, keep-alive."""

from ._errors import ConnectionLimitReached, Refused
from ._surroundings import Surroundings
from ._swarm import Swarm
from ._upgrade import Upgrader

__all__ = ["ConnectionLimitReached", "Refused", "Surroundings", "Swarm", "Upgrader"]
