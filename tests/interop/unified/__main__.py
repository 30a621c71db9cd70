"""Our entry for libp2p's own interoperability suite, libp2p/unified-testing: see README.md."""

from __future__ import annotations

import logging
import os
import sys

import anyio

from .settings import Settings
from .sides import dial, listen


async def main(settings: Settings) -> None:
    """Play one side of a test."""
    if settings.is_dialer:
        print(await dial(settings), flush=True)
    else:
        await listen(settings)


if __name__ == "__main__":
    chosen = Settings.of(os.environ)
    logging.basicConfig(stream=sys.stderr, level=logging.DEBUG if chosen.debug else logging.WARNING)
    anyio.run(main, chosen)
