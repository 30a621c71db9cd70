"""Which event loop runs."""

from __future__ import annotations

import sys


def runs_on_trio() -> bool:
    """Whether the caller runs on trio, else on asyncio; trio is not imported to find out."""
    return "trio.lowlevel" in sys.modules and sys.modules["trio.lowlevel"].in_trio_run()
