"""Run a multistream-select negotiation over something that sends and receives bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio

from peerloom._errors import NegotiationFailed, StreamReset

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ._multistream import Negotiation

NEGOTIATION_SECONDS: Final = 10.0  # as rust-libp2p's substream upgrade
READ_BYTES: Final = 65536
# Of a stream: what is read beyond the negotiation waits outside of its window, where nobody counts.
STREAM_READ_BYTES: Final = 1024


async def negotiate(
    negotiation: Negotiation,
    send: Callable[[bytes], Awaitable[None]],
    receive: Callable[[], Awaitable[bytes]],
    early: bytes = b"",
) -> tuple[str, bytes]:
    """Agree on a protocol; gives it and the bytes that arrived behind the negotiation.

    Raises `NegotiationFailed`, `ProtocolNotSupported`, `StreamReset`. The caller bounds the time.
    """
    try:
        if first := negotiation.start():
            await send(first)
    except StreamReset:
        raise
    except anyio.BrokenResourceError as error:
        raise _hung_up() from error
    return await hear_out(negotiation, send, receive, early)


async def hear_out(
    negotiation: Negotiation,
    send: Callable[[bytes], Awaitable[None]],
    receive: Callable[[], Awaitable[bytes]],
    early: bytes = b"",
) -> tuple[str, bytes]:
    """`negotiate` from where its first words have been sent."""
    try:
        data = early or await receive()
        while True:
            answer = negotiation.receive(data)
            if answer:
                await send(answer)
            if negotiation.protocol is not None:
                return negotiation.protocol, negotiation.leftover
            data = await receive()
    except StreamReset:
        raise
    except (anyio.EndOfStream, anyio.BrokenResourceError) as error:
        raise _hung_up() from error


def no_answer() -> NegotiationFailed:
    """The bound of a negotiation has passed."""
    return NegotiationFailed(f"the other side named no protocol within {NEGOTIATION_SECONDS:.0f} s")


def _hung_up() -> NegotiationFailed:
    return NegotiationFailed("the other side hung up during the negotiation")
