"""Connecting to the address that somebody typed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from multiaddr import Multiaddr

from peerloom._errors import DialFailed

if TYPE_CHECKING:
    from peerloom._client import NetworkClient
    from peerloom._endpoint import ConnectionInfo


async def connect(client: NetworkClient, text: str) -> ConnectionInfo:
    """Dial an address; raises `DialFailed`, for what is none as well."""
    try:
        target = Multiaddr(text)
    except ValueError:
        raise DialFailed(
            None, (), f"{text!r} is not an address; write one such as /ip4/192.0.2.1/tcp/2428"
        ) from None
    return await client.dial(target)
