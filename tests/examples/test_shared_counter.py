"""examples/shared_counter.py, which is a test itself."""

from __future__ import annotations

from examples.shared_counter import *  # noqa: F403 - pytest collects what has these names
