"""The plugin author's kit."""

from ._simulated import (
    Dependence,
    Distribution,
    EventLog,
    Nat,
    NatKind,
    SimulatedNetwork,
    SimulatedNode,
)

__all__ = [
    "Dependence",
    "Distribution",
    "EventLog",
    "Nat",
    "NatKind",
    "SimulatedNetwork",
    "SimulatedNode",
]
