"""A network namespace with public addresses: go-libp2p asks for no others to be proven reachable.

Nothing leaves it: its only interfaces are its loopback and the two ends of a cable.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pytest

from tests.net.namespaces import add_namespace, ip, missing, remove_namespaces

if TYPE_CHECKING:
    from collections.abc import Iterator

ADDRESSES: Final = tuple(f"11.0.0.{number}" for number in range(1, 6))
_CABLE: Final = ("left", "right")


@contextmanager
def public_network() -> Iterator[str]:
    """The name of a namespace in which `ADDRESSES` are ours, and multicast works.

    Where the machine cannot have one the test is skipped, which ``PEERLOOM_REQUIRE_ALL=1`` makes a
    failure.
    """
    if reason := missing():
        pytest.skip(reason)
    name = f"interop-{os.getpid()}"
    try:
        add_namespace(name)
        ip("-n", name, "link", "add", _CABLE[0], "type", "veth", "peer", "name", _CABLE[1])
        for end in _CABLE:
            ip("-n", name, "link", "set", end, "up")
        for address in ADDRESSES:
            ip("-n", name, "address", "add", f"{address}/24", "dev", _CABLE[0])
        yield name
    finally:
        remove_namespaces([name])
