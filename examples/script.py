"""A script without `async`: who is at these addresses, and how far away are they?

    python examples/script.py ADDRESS...

`peerloom.blocking` runs the node in a thread of its own, and any thread may ask it: all addresses
are looked at at the same time, by a thread each. Ctrl-C ends it at once and in good order.
"""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from statistics import median

from peerloom import DialCondition, IdentifyReceived, PeerId, PeerloomError
from peerloom.blocking import Node, Subscription

PING = "/ipfs/ping/1.0.0"
PING_BYTES = 32
PINGS = 5
SECONDS = 10  # that one answer may take


def main(addresses: list[str]) -> int:
    """Print a line for each address; gives how many could not be reached."""
    with Node() as node, ThreadPoolExecutor() as threads:
        reports = list(threads.map(lambda address: examine(node, address), addresses))
    for address, report in zip(addresses, reports, strict=True):
        print(f"{address}\n    {report or 'cannot be reached'}")
    return reports.count(None)


def examine(node: Node, address: str) -> str | None:
    """What there is to say of whoever answers there."""
    try:
        with node.client.events(IdentifyReceived) as events:
            peer = node.client.dial(address, condition=DialCondition.ALWAYS).peer
            told = wait_for(peer, events)
        seconds = round_trip(node, peer)
    except (PeerloomError, TimeoutError, ValueError) as error:
        print(f"{address}: {error}", file=sys.stderr)
        return None
    return f"{told.agent}, {seconds * 1000:.1f} ms away, speaks {len(told.protocols)} protocols"


def wait_for(peer: PeerId, events: Subscription[IdentifyReceived]) -> IdentifyReceived:
    """What that peer says of itself."""
    while True:
        event = events.next(timeout=SECONDS)
        if isinstance(event, IdentifyReceived) and event.peer == peer:
            return event


def round_trip(node: Node, peer: PeerId) -> float:
    """What `node.client.ping` does, by hand: a stream, and bytes that the peer sends back."""
    times = []
    with node.client.open_stream(peer, PING) as stream:
        for _ in range(PINGS):
            began_at = time.perf_counter()
            stream.send(os.urandom(PING_BYTES))
            missing = PING_BYTES
            while missing:
                missing -= len(stream.receive(missing, timeout=SECONDS))
            times.append(time.perf_counter() - began_at)
    return median(times)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) and 1)
