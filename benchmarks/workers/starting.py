"""A node from nothing: ``python -m benchmarks.workers.starting asyncio|trio ADDRESS…``.

Says a word when it listens, and ends when standard input does. Nothing is imported here that a
program which embeds a node would not import.
"""

from __future__ import annotations

import sys

import anyio

from peerloom import NetworkConfig, Node


async def _main() -> None:
    async with Node(NetworkConfig(listen=sys.argv[2:])):
        print("listening", flush=True)
        await anyio.wait_readable(sys.stdin)


anyio.run(_main, backend=sys.argv[1])
