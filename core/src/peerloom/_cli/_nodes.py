"""Nodes as commands run them: listening on the usual port, or on a free one."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final

from attrs import evolve
from multiaddr import Multiaddr

from peerloom._addresses import components
from peerloom._background import Background
from peerloom._errors import DataFolderInUse
from peerloom._node import Node

from ._output import tell
from ._targets import refuse_own, stay_connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from peerloom._config import NetworkConfig

PORT: Final = 2428
EVERYWHERE: Final = (
    f"/ip4/0.0.0.0/tcp/{PORT}",
    f"/ip4/0.0.0.0/udp/{PORT}/quic-v1",
    f"/ip6/::/tcp/{PORT}",
    f"/ip6/::/udp/{PORT}/quic-v1",
)


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
    config = evolve(config, listen=EVERYWHERE, free_port_if_taken=True)
    async with Node(config, plugins=plugins) as node:
        for complaint in _differences(node):
            tell(complaint)
        yield node


@asynccontextmanager
async def passing_node(
    config: NetworkConfig, dial: Sequence[str] = (), plugins: Sequence[object] = ()
) -> AsyncIterator[Node]:
    """As `listening_node`, for a command that may run beside others; it stays connected to `dial`.

    Where another process has the data folder, its identity lasts until it ends.
    """
    async with AsyncExitStack() as stack:
        try:
            node = await stack.enter_async_context(listening_node(config, plugins))
        except DataFolderInUse as error:
            what = f"{error.holder} has the data folder {error.folder}"
            tell(f"{what}: this runs under an identity that lasts until it ends")
            config = evolve(config, data_folder=None, identity=None)
            node = await stack.enter_async_context(listening_node(config, plugins))
        refuse_own(node, dial)
        tasks = await stack.enter_async_context(Background())
        for address in dial:
            tasks.start_soon(stay_connected, node.client, address)
        yield node
        tasks.cancel_scope.cancel()


def _differences(node: Node) -> list[str]:
    found: dict[tuple[str, str], set[str]] = {}
    for address in node.addresses:
        (family, _), (kind, port), *_ = components(address)
        found.setdefault((family, kind), set()).add(port)
    taken, complaints = [], []
    for wanted in EVERYWHERE:
        (family, host), (kind, port), *_ = components(Multiaddr(wanted))
        ports = found.get((family, kind))
        if ports is None:
            complaints.append(f"not listening on {wanted}")
        elif port not in ports:
            taken.append(f"{kind.upper()} of /{family}/{host}")
    if taken:
        which = "" if len(taken) == len(EVERYWHERE) else f" ({', '.join(taken)})"
        complaints.append(f"port {PORT} is taken{which}: listening on free ones instead")
    return complaints
