"""The simulated network: see `SimulatedNetwork`."""

from ._chance import Distribution
from ._internet import Nat, NatKind
from ._log import EventLog
from ._nat_table import Dependence
from ._network import SimulatedNetwork
from ._node import SimulatedNode

__all__ = [
    "Dependence",
    "Distribution",
    "EventLog",
    "Nat",
    "NatKind",
    "SimulatedNetwork",
    "SimulatedNode",
]
