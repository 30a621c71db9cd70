"""A transport from outside, raw or muxed, written with public names alone, carries a node."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from peerloom import NetworkConfig, Node
from peerloom.plugin import Behaviour, InboundProtocol, PluginContext, PluginInfo, hookimpl
from tests.core import third_party_transport
from tests.core.nodes import echo
from tests.core.third_party_transport import LIMITS, Place, TransportPlugin

ADDRESS = "/memory/7"


class Echo:
    info = PluginInfo("echo")

    @hookimpl
    def peerloom_behaviours(self, ctx: PluginContext) -> list[Behaviour]:
        behaviour = Behaviour()
        behaviour.protocols = {"/echo/1": InboundProtocol(echo, runs_on_limited=True)}
        return [behaviour]


@pytest.mark.parametrize("muxed", [False, True], ids=["raw", "muxed"])
async def test_a_transport_from_outside_carries_streams(muxed: bool) -> None:  # noqa: FBT001
    place = Place()
    transport = TransportPlugin(place, muxed=muxed)
    serving = Node(NetworkConfig(listen=[ADDRESS], strict=True), plugins=[transport, Echo()])
    asking = Node(NetworkConfig(strict=True), plugins=[TransportPlugin(place, muxed=muxed)])
    async with serving, asking:
        info = await asking.client.dial(serving.addresses[0])
        assert info.peer == serving.peer_id
        assert info.limits == LIMITS
        assert (info.security is None) == muxed
        stream = await asking.client.open_stream(serving.peer_id, "/echo/1", allow_limited=True)
        await stream.send(b"hello")
        await stream.send_eof()
        assert b"".join([chunk async for chunk in stream]) == b"hello"
        await stream.aclose()
    assert not place.listeners


def test_it_is_written_with_public_names_alone() -> None:
    tree = ast.parse(Path(third_party_transport.__file__).read_text())
    modules = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name for name in modules if name.startswith("peerloom")} == {
        "peerloom",
        "peerloom.plugin",
    }
