"""Settings that cannot work together are refused, and say what to do."""

from __future__ import annotations

from typing import Any

import pytest

from peerloom import ConfigError
from peerloom_gossipsub import GossipsubConfig


@pytest.mark.parametrize("name", ["max_rpc_bytes", "max_queue_bytes", "max_pending_bytes"])
def test_whatever_holds_messages_can_hold_the_largest(name):
    too_small: dict[str, Any] = {"max_message_bytes": 1000, name: 999}
    with pytest.raises(ConfigError, match=f"{name} is 999, and a message may have 1000: raise it"):
        GossipsubConfig(**too_small)
    assert getattr(GossipsubConfig(**too_small | {name: 1000}), name) == 1000
