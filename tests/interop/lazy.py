"""Lazy negotiation: an opener that believes to know what is spoken sends before it is agreed to.

Which openers do so is their own affair: ours does (see `NetworkClient.open_stream`), and these rows
prove it by freezing the peer. What is asked of all is that nothing is ever half-delivered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import anyio
import pytest

from peerloom import NegotiationFailed, ProtocolNotSupported

from .driver import Peer, PeerError
from .here import Here
from .party import EVENT_SECONDS
from .pattern import pattern_sha256
from .pipe import StreamBroken

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from .party import Fields, Party

LATER: Final = "/test/later/1"
# Fits in what goes out before the answer: see `peerloom._swarm._optimistic_stream`.
EARLY_BYTES: Final = 32 * 1024
_REFUSALS: Final = (PeerError, StreamBroken, ProtocolNotSupported, NegotiationFailed)
_LOOK_SECONDS: Final = 0.01
_SEED: Final = 20_260_101


async def served(opener: Party, accepter: Party) -> None:
    """What was sent early arrives whole."""
    await _serve_later(opener, accepter)
    outcome: Fields = {}

    async def send() -> None:
        outcome.update(await _send(opener, accepter, EARLY_BYTES))

    await _play_early(opener, accepter, send)
    assert outcome["received_sha256"] == pattern_sha256(_SEED, EARLY_BYTES)
    arrived = await accepter.event("stream-ended", protocol=LATER, role="accepter")
    assert (arrived["how"], arrived["received"]) == ("end", EARLY_BYTES)


async def refused(opener: Party, accepter: Party) -> None:
    """What was sent early reaches nobody, its sender is told, and what comes next arrives."""
    await _serve_later(opener, accepter)
    seen = len(opener.events)
    await accepter.unhandle(LATER)
    await opener.event(
        "identified", where=lambda event: LATER not in event["protocols"], after=seen
    )
    for nbytes in (1, EARLY_BYTES, 32 * EARLY_BYTES):
        if isinstance(opener, Here):
            opener.believe(accepter.id, LATER)  # as if it had not been told in time

        async def send(nbytes: int = nbytes) -> None:
            with pytest.raises(_REFUSALS):
                await _send(opener, accepter, nbytes)

        await _play_early(opener, accepter, send)
    again = await _send(opener, accepter, EARLY_BYTES, protocol="/test/echo/1")
    assert again["received_sha256"] == pattern_sha256(_SEED, EARLY_BYTES)
    assert not [each for each in accepter.events if each.get("protocol") == LATER]


async def _serve_later(opener: Party, accepter: Party) -> None:
    await opener.event("identified", peer=accepter.id)
    await accepter.handle(LATER)
    await opener.event(
        "identified", peer=accepter.id, where=lambda event: LATER in event["protocols"]
    )


async def _play_early(
    opener: Party, accepter: Party, send: Callable[[], Coroutine[Any, Any, None]]
) -> None:
    """Let it send; ours to a peer that is frozen, so that what goes out goes out early."""
    async with anyio.create_task_group() as tasks:
        if not isinstance(opener, Here):
            tasks.start_soon(send)
            return
        assert isinstance(accepter, Peer)
        with accepter.frozen():
            tasks.start_soon(send)
            await _sent_something(opener)


async def _sent_something(opener: Here) -> None:
    with anyio.fail_after(EVENT_SECONDS):
        sent = 0
        while not sent:
            await anyio.sleep(_LOOK_SECONDS)
            sent = sum(each["sent"] for each in await opener.streams())


async def _send(opener: Party, accepter: Party, nbytes: int, protocol: str = LATER) -> Fields:
    return await opener.run("half-close", accepter.id, nbytes, _SEED, protocol=protocol)
