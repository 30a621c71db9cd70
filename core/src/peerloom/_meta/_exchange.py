"""What the small request protocols of core share: which errors are ordinary."""

from __future__ import annotations

from typing import Final

import anyio

from peerloom._errors import PeerloomError

STREAM_FAILURES: Final = (
    PeerloomError,
    anyio.EndOfStream,
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
    TimeoutError,
)
"""What talking to a peer may raise although nothing on this side is wrong."""
