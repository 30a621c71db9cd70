"""The fixture `nodes`, used as plugin authors use it; that nothing is left is checked by itself."""

from __future__ import annotations

from traceback import extract_tb
from typing import TYPE_CHECKING

import pytest

from peerloom import (
    ConfigError,
    LinkClosed,
    ListenFailed,
    NodeClosed,
    PluginError,
    PluginSelection,
    StreamReset,
)
from peerloom.plugin import PeerDisconnected
from peerloom.testing import Nodes
from tests.testing.worlds import ECHO, Serves, Serving, echo

if TYPE_CHECKING:
    from pathlib import Path

    from peerloom import Stream


async def test_each_is_connected_to_each(nodes: Nodes) -> None:
    made = await nodes(3, connected=True)

    for node in made:
        assert set(await node.client.peers()) == {one.peer_id for one in made} - {node.peer_id}


async def test_both_sides_know_of_a_connection(nodes: Nodes) -> None:
    ann, ben = await nodes(2)
    await nodes.connect(ann, ben)

    assert await ann.client.peers() == (ben.peer_id,)
    assert await ben.client.peers() == (ann.peer_id,)


async def test_plugin_objects_are_used_beside_the_installed_ones(nodes: Nodes) -> None:
    ann, ben = await nodes(2, plugins=[Serves(Serving(ECHO, echo))], connected=True)

    async with await ann.client.open_stream(ben.peer_id, ECHO) as stream:
        await stream.send(b"x")
        assert await stream.receive() == b"x"
    assert "stream" in (await ann.client.status())["plugins"]


async def test_installed_plugins_can_be_selected(nodes: Nodes) -> None:
    [node] = await nodes(selection=PluginSelection(disabled=("stream",)))

    assert "stream" not in (await node.client.status())["plugins"]


async def test_they_may_speak_quic_and_keep_data(nodes: Nodes, tmp_path: Path) -> None:
    quic = "/ip4/127.0.0.1/udp/0/quic-v1"
    [ann] = await nodes(listen=[quic], data_folder=tmp_path)
    [ben] = await nodes(listen=[quic])
    await nodes.connect(ben, ann)

    assert (await ben.client.connections())[0].muxer is None


async def test_what_a_plugin_raises_names_it_its_node_and_the_place() -> None:
    with pytest.raises(PluginError, match=RAISED) as raised:
        await break_the_second()

    cause = raised.value.__cause__
    assert isinstance(cause, ZeroDivisionError)
    assert "divide" in [frame.name for frame in extract_tb(cause.__traceback__)]


RAISED = (
    r"plugin serves of node 2 raised ZeroDivisionError: too far, "
    r"in divide \(test_nodes\.py:\d+\), stream handler /broken/1"
)


async def break_the_second() -> None:
    async with Nodes() as nodes:
        ann, ben = await nodes(2, plugins=[Serves(Serving("/broken/1", divide))], connected=True)
        stream = await ann.client.open_stream(ben.peer_id, "/broken/1")
        with pytest.raises((StreamReset, LinkClosed)):
            await use(stream)


async def divide(stream: Stream) -> None:
    await stream.receive()
    raise ZeroDivisionError("too far")


async def use(stream: Stream) -> None:
    async with stream:
        await stream.send(b"x")
        await stream.receive()


async def test_one_can_be_stopped_before_the_others(nodes: Nodes) -> None:
    ann, ben = await nodes(2, connected=True)
    heard = nodes.record(ben, PeerDisconnected)
    await nodes.stop(ann)

    assert (await heard.next(PeerDisconnected)).peer == ann.peer_id
    with pytest.raises(NodeClosed):
        await ann.client.peers()


async def test_one_that_does_not_start_says_why(nodes: Nodes) -> None:
    with pytest.raises(ListenFailed):
        await nodes(listen=["/ip4/192.0.2.1/tcp/4001"])
    with pytest.raises(ConfigError):
        await nodes(listen=["nowhere"])
