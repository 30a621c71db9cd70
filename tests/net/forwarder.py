"""The process behind a wire: ``python -m tests.net.forwarder QUALITY``, QUALITY as JSON.

It makes two network namespaces with a TUN device each and carries packets between them until
its standard input ends, however its parent does; then it removes them. A line in asks for the
counters, a line out gives them; the first line out says that the wire is up.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from collections import deque
from contextlib import contextmanager, suppress
from fcntl import ioctl
from random import Random
from struct import pack
from time import monotonic
from typing import TYPE_CHECKING, Final, NamedTuple

from attrs import asdict

from .namespaces import ADDRESSES, add_namespace, ip, names, remove_namespaces
from .path import Path, Quality

if TYPE_CHECKING:
    from collections.abc import Iterator

MTU: Final = 1500

_TUNSETIFF: Final = 0x400454CA
_IFF_TUN: Final = 0x0001
_IFF_NO_PI: Final = 0x1000
# The queue is the path's, not the device's: the device must hold what comes while others run.
_DEVICE_QUEUE_PACKETS: Final = 20_000
# Packets that are due within this go in one turn, as a network card does it; without, each is a
# wake-up of its own.
_TURN_SECONDS: Final = 0.000_5
_PACKETS_A_TURN: Final = 64
_IDLE_SECONDS: Final = 60.0


class Waiting(NamedTuple):
    """A packet on its way."""

    due: float
    packet: bytes


class Lane:
    """One direction: from a device, along the path, into the other device."""

    def __init__(self, source: int, target: int, path: Path) -> None:
        self.source = source
        self.path = path
        self._target = target
        self._waiting: deque[Waiting] = deque()

    def take(self) -> None:
        """Take what the device has, a bounded number of packets."""
        send, waiting = self.path.send, self._waiting
        with suppress(BlockingIOError):
            for _ in range(_PACKETS_A_TURN):
                packet = os.read(self.source, MTU)
                due = send(len(packet), monotonic())
                if due is not None:
                    waiting.append(Waiting(due, packet))

    def deliver(self, now: float) -> None:
        """Hand over what is due."""
        waiting, target = self._waiting, self._target
        while waiting and waiting[0].due <= now:
            os.write(target, waiting.popleft().packet)

    @property
    def due(self) -> float | None:
        """When the next packet arrives, or None."""
        return self._waiting[0].due if self._waiting else None


class Forwarder:
    """Both directions, and the parent's questions."""

    def __init__(self, left: int, right: int, quality: Quality) -> None:
        self._lanes = [
            Lane(source, target, Path(quality, Random(f"{quality.seed} {source < target}")))
            for source, target in ((left, right), (right, left))
        ]
        self._sources = [0, left, right]

    def run(self) -> None:
        """Forward until standard input ends."""
        while True:
            now = monotonic()
            for lane in self._lanes:
                lane.deliver(now)
            readable, _, _ = select.select(self._sources, [], [], self._pause())
            if 0 in readable and not self._answer():
                return
            for lane in self._lanes:
                if lane.source in readable:
                    lane.take()

    def _pause(self) -> float:
        due = [lane.due for lane in self._lanes if lane.due is not None]
        return max(min(due) - monotonic(), _TURN_SECONDS) if due else _IDLE_SECONDS

    def _answer(self) -> bool:
        if not os.read(0, 4096):
            return False
        _tell([asdict(lane.path.counters) for lane in self._lanes])
        return True


@contextmanager
def _device(namespace: str, number: int) -> Iterator[int]:
    """A TUN device in a namespace of its own; closing the descriptor removes the device."""
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    try:
        name = f"wire{number}p{os.getpid()}"
        ioctl(device, _TUNSETIFF, pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))
        add_namespace(namespace)
        ip("link", "set", name, "netns", namespace)
        # Nothing but what the tests send shall come by.
        ip("-n", namespace, "link", "set", name, "addrgenmode", "none", "multicast", "off")
        ip(
            "-n", namespace, "link", "set", name,
            "mtu", str(MTU), "txqueuelen", str(_DEVICE_QUEUE_PACKETS), "up",
        )  # fmt: skip
        for own, other in zip(ADDRESSES[number], ADDRESSES[1 - number], strict=True):
            ip("-n", namespace, "address", "add", own, "peer", other, "dev", name, "nodad")
        yield device
    finally:
        os.close(device)


def _tell(what: object) -> None:
    print(json.dumps(what), flush=True)


def main() -> None:
    """Make the wire, carry packets, remove it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's business; it closes our input
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    quality = Quality(**json.loads(sys.argv[1]))
    namespaces = names(os.getpid())
    try:
        with _device(namespaces[0], 0) as left, _device(namespaces[1], 1) as right:
            _tell("up")
            Forwarder(left, right, quality).run()
    finally:
        remove_namespaces(namespaces)


if __name__ == "__main__":
    main()
