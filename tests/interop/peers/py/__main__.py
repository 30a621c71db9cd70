"""A py-libp2p node that a test drives over standard input and output; see README.md."""

from __future__ import annotations

import logging

import trio

from .channel import Channel
from .commands import Commands


async def main() -> None:
    channel = Channel()
    async with trio.open_nursery() as nursery:
        await channel.serve(Commands(channel, nursery).handle)
        nursery.cancel_scope.cancel()


logging.basicConfig(level=logging.WARNING)
trio.run(main)
