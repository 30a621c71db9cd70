"""Counter: nodes keep numbers for each other.

::

    total = await Counters(node.client).increment(peer, "visits")
"""

from __future__ import annotations

from ._behaviour import COUNTER_PROTOCOL
from ._client import Counters
from ._commands import Increment, Value
from ._config import CounterConfig
from ._errors import CounterRefused
from ._events import CounterChanged

__all__ = [
    "COUNTER_PROTOCOL",
    "CounterChanged",
    "CounterConfig",
    "CounterRefused",
    "Counters",
    "Increment",
    "Value",
]
