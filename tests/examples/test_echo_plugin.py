"""examples/echo_plugin.py"""

from __future__ import annotations

import pytest

from examples.echo_plugin import EchoClient, Echoed, EchoPlugin, main
from peerloom import NetworkConfig, Node, NoHandler, StreamReset

CONFIG = NetworkConfig(listen=["/ip4/127.0.0.1/tcp/0"], settings={"echo": {"max_bytes": 10}})


async def test_it_sends_back_what_came_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    await main()

    first, second = capsys.readouterr().out.splitlines()
    assert first == "hello"
    assert second.startswith("Echoed(peer=")


async def test_what_is_too_long_is_refused_and_the_node_goes_on() -> None:
    ann, ben = (Node(CONFIG, plugins=[EchoPlugin()]) for _ in range(2))
    async with ann, ben, ann.client.events(Echoed) as events:
        await ben.client.dial(ann.addresses[0])
        client = EchoClient(ben.client)
        with pytest.raises(StreamReset):
            await client.echo(ann.peer_id, "x" * 11)
        assert await client.echo(ann.peer_id, "x" * 10) == "x" * 10

        assert await anext(events) == Echoed(ben.peer_id, 10)


async def test_a_node_without_the_plugin_says_so() -> None:
    async with Node() as node:
        with pytest.raises(NoHandler):
            EchoClient(node.client)
