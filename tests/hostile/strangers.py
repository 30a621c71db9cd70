"""Diallers that show what they should not in a handshake."""

from __future__ import annotations

from typing import TYPE_CHECKING

from OpenSSL import SSL

from tests.hostile.foe import wire_to

if TYPE_CHECKING:
    from tests.core.tls_stranger import Stranger
    from tests.hostile.siege import Siege


async def show_certificate(scene: Siege, stranger: Stranger) -> None:
    """Shake hands by TLS until the node hangs up."""
    async with wire_to(scene.address) as wire:
        await wire.select("/tls/1.0.0")
        await wire.try_to_send(stranger.step(b""))
        while data := await wire.receive():
            try:
                answer = stranger.step(data)
            except SSL.Error:  # the node's alert
                break
            await wire.try_to_send(answer)
        await wire.until_closed()
