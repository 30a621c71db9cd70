"""examples/simulated_network.py, which is tests itself."""

from __future__ import annotations

from examples.simulated_network import *  # noqa: F403 - pytest collects what has these names
