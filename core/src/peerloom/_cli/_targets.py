"""Connecting to the addresses that somebody typed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from multiaddr import Multiaddr

from peerloom._errors import DialFailed, NoHandler, PeerloomError

from ._output import one_line, tell

if TYPE_CHECKING:
    from peerloom._client import NetworkClient
    from peerloom._endpoint import ConnectionInfo
    from peerloom._peer_id import PeerId


async def connect(client: NetworkClient, text: str) -> ConnectionInfo:
    """Dial an address; raises `DialFailed`, for what is none as well."""
    try:
        target = Multiaddr(text)
    except ValueError:
        raise DialFailed(
            None, (), f"{text!r} is not an address; write one such as /ip4/192.0.2.1/tcp/2428"
        ) from None
    return await client.dial(target)


async def stay_connected(client: NetworkClient, target: str) -> None:
    """Dial what was given as ``--dial``, and hold it; what goes wrong is told and tried again."""
    try:
        connection = await client.dial(target)
        await client.protect(connection.peer)
    except (PeerloomError, ValueError) as error:
        tell(f"peerloom: --dial {target}: {one_line(error)}")
        if isinstance(error, DialFailed) and error.peer is not None:
            await _keep_trying(client, error.peer, target)


async def _keep_trying(client: NetworkClient, peer: PeerId, target: str) -> None:
    try:
        await client.add_peer_addresses(peer, [target] if target.startswith("/") else [])
        await client.protect(peer)
    except NoHandler as error:
        tell(f"peerloom: --dial {target}: {one_line(error)}")
    else:
        tell(f"peerloom: --dial {target}: trying again until it is there")
