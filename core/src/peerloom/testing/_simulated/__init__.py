"""The simulated network: see `SimulatedNetwork`."""

from ._chance import Distribution
from ._log import EventLog
from ._nat_table import Dependence
from ._network import SimulatedNetwork
from ._node import SimulatedNode
from ._places import Nat, NatKind

__all__ = [
    "Dependence",
    "Distribution",
    "EventLog",
    "Nat",
    "NatKind",
    "SimulatedNetwork",
    "SimulatedNode",
]
