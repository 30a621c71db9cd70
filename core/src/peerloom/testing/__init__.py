"""The plugin author's kit: nodes, recorders, a fake swarm and the tests that every plugin passes.

With ``pip install "peerloom[testing]"`` pytest has the fixtures `nodes` and `plugins` at once, on
asyncio and trio, without any configuration. `SimulatedNetwork` holds many nodes in virtual time.
"""

from ._bench import Bench
from ._conditions import until
from ._conformance import PluginConformance
from ._fake_peer import FakePeer
from ._fake_swarm import FakeSwarm
from ._leaks import LeakError, no_leaks
from ._manual_runtime import ManualRuntime
from ._nodes import Nodes
from ._plugins import Plugins
from ._recorder import Recorder
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
    "Bench",
    "Dependence",
    "Distribution",
    "EventLog",
    "FakePeer",
    "FakeSwarm",
    "LeakError",
    "ManualRuntime",
    "Nat",
    "NatKind",
    "Nodes",
    "PluginConformance",
    "Plugins",
    "Recorder",
    "SimulatedNetwork",
    "SimulatedNode",
    "no_leaks",
    "until",
]
