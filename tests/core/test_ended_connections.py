"""What is left of connections that have ended."""

from __future__ import annotations

import gc
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from peerloom._backend import runs_on_trio
from peerloom._links import MuxedLink
from peerloom.testing import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from peerloom.testing import Nodes


@contextmanager
def collector_off() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def links() -> list[weakref.ref[MuxedLink]]:
    return [weakref.ref(each) for each in gc.get_objects() if isinstance(each, MuxedLink)]


def left_of(made: list[weakref.ref[MuxedLink]], listen: str) -> int:
    if listen.startswith("tcp") and not runs_on_trio():
        gc.collect()  # on asyncio anyio ties what its cancelled tasks have raised into circles
    return sum(each() is not None for each in made)


@pytest.mark.parametrize("closed_by", ["its dialler", "its listener"])
@pytest.mark.parametrize(
    ("listen", "security"),
    [("tcp/0", "tls"), ("tcp/0", "noise"), ("udp/0/quic-v1", "tls")],
    ids=["tls", "noise", "quic"],
)
async def test_nothing_of_a_connection_waits_for_the_collector(
    nodes: Nodes, listen: str, security: str, closed_by: str
) -> None:
    with collector_off():
        config = {"listen": [f"/ip4/127.0.0.1/{listen}"], "security": (security,)}
        ann, ben = await nodes(2, connected=True, **config)
        await ann.client.ping(ben.peer_id)
        made = links()
        assert len(made) == 2
        closer, other = (ann, ben) if closed_by == "its dialler" else (ben, ann)
        await closer.client.disconnect(other.peer_id)
        await until(lambda: left_of(made, listen), lambda left: not left)
