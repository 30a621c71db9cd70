"""Nodes as commands run them: listening on the usual port, or on a free one."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from attrs import evolve

from peerloom._addresses import components
from peerloom._node import Node

from ._output import tell

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from peerloom._config import NetworkConfig

PORT: Final = 2428
_EVERYWHERE: Final = ("/ip4/0.0.0.0", "/ip6/::")


@asynccontextmanager
async def listening_node(
    config: NetworkConfig, plugins: Sequence[object] = ()
) -> AsyncIterator[Node]:
    """A node that listens where its configuration says, or else on all interfaces.

    Raises `ListenFailed` if it can listen nowhere.
    """
    if config.listen:
        async with Node(config, plugins=plugins) as node:
            yield node
        return
    everywhere = [f"{host}/tcp/{PORT}" for host in _EVERYWHERE]
    config = evolve(config, listen=everywhere, free_port_if_taken=True)
    async with Node(config, plugins=plugins) as node:
        _tell_where_it_differs(node)
        yield node


def _tell_where_it_differs(node: Node) -> None:
    ports: dict[str, set[str]] = {"ip4": set(), "ip6": set()}
    for address in node.addresses:
        (family, _), (_, port), *_ = components(address)
        ports[family].add(port)
    for host, found in zip(_EVERYWHERE, ports.values(), strict=True):
        if not found:
            tell(f"not listening on {host}")
        elif str(PORT) not in found:
            tell(f"port {PORT} of {host} is taken: listening on a free port instead")
