"""examples/two_nodes.py"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from examples.two_nodes import UPPER, main, serve
from peerloom import NetworkConfig, Node
from peerloom_stream import Streams

if TYPE_CHECKING:
    import pytest

    from peerloom import Stream


async def test_ann_and_ben_meet_and_talk(capsys: pytest.CaptureFixture[str]) -> None:
    await main()

    printed = capsys.readouterr().out
    assert "ann: somebody has come in by /yamux/1.0.0" in printed
    assert "secured by /tls/1.0.0" in printed
    assert "ben: hears HELLO, ANN" in printed
    assert printed.splitlines()[-1].startswith("ann: it has left:")


async def test_a_caller_who_hangs_up_or_is_cut_off_ends_the_service_for_nobody_else() -> None:
    config = NetworkConfig(listen=["/ip4/127.0.0.1/tcp/0"], strict=True)
    async with Node(config) as ann, Node() as ben, anyio.create_task_group() as tasks:
        await tasks.start(serve, ann)
        (await _answered(ann, ben)).reset()
        await _answered(ann, ben)
        await ann.client.disconnect(ben.peer_id)  # as when a peer no longer answers pings
        await (await _answered(ann, ben)).aclose()
        tasks.cancel_scope.cancel()


async def _answered(ann: Node, ben: Node) -> Stream:
    """A stream that is being served."""
    peer = (await ben.client.dial(ann.addresses[0])).peer
    stream = await Streams(ben.client).open_bytes(peer, UPPER)
    with anyio.fail_after(20):
        await stream.send(b"hello")
        assert await stream.receive_exactly(5) == b"HELLO"
    return stream
