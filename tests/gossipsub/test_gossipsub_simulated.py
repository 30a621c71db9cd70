"""Gossipsub between many real nodes in virtual time."""

from __future__ import annotations

import pytest

from tests.gossipsub.losing_nodes import lose_a_third
from tests.gossipsub.simulated import simulate


@pytest.mark.parametrize("what", ["machine", "process"])
def test_survivors_hear_each_other_when_a_third_of_the_nodes_dies(anyio_backend, what):
    simulate(anyio_backend, lose_a_third, 9, 90, what)
