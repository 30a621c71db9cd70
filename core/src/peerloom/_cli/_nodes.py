"""Nodes as commands run them: listening on the usual port, or on a free one."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from peerloom._errors import ListenFailed
from peerloom._node import Node

from ._output import tell

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from peerloom._config import NetworkConfig

PORT: Final = 2428
_HOSTS: Final = ("/ip4/0.0.0.0", "/ip6/::")


@asynccontextmanager
async def listening_node(
    config: NetworkConfig, plugins: Sequence[object] = ()
) -> AsyncIterator[Node]:
    """A node that listens where its configuration says, or else on all interfaces.

    Raises `ListenFailed` if it can listen nowhere.
    """
    async with Node(config, plugins=plugins) as node:
        if not config.listen:
            await _listen_everywhere(node)
        yield node


async def _listen_everywhere(node: Node) -> None:
    failures: list[ListenFailed] = []
    for host in _HOSTS:
        try:
            await _listen(node, host)
        except ListenFailed as error:
            failures.append(error)
    if not node.addresses:
        raise failures[0]
    for failure in failures:
        tell(f"not listening on {failure.address}: {failure.reason}")


async def _listen(node: Node, host: str) -> None:
    try:
        await node.client.listen_on(f"{host}/tcp/{PORT}")
    except ListenFailed as error:
        await node.client.listen_on(f"{host}/tcp/0")
        tell(f"cannot listen on {error.address} ({error.reason}): took a free port instead")
