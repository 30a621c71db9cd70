"""Upgrade: a raw link becomes a secured and muxed one, to a peer that has proven who it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import anyio
from attrs import evolve

from peerloom._errors import HandshakeFailed, NegotiationFailed, ProtocolNotSupported
from peerloom._links import Role

from ._multistream import Proposer, Responder
from ._negotiate import READ_BYTES, hear_out, negotiate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anyio.abc import ByteStream

    from peerloom._links import (
        Handshake,
        MuxedLink,
        RawLink,
        Secured,
        SecurityProtocol,
    )
    from peerloom._peer_id import PeerId

    from ._multistream import Negotiation


class GuessFailed(NegotiationFailed):
    """A peer did not take the security protocol that it was known to speak: dial anew, and ask."""


class Muxer(Protocol):
    """Makes a muxed link of a secured one."""

    @property
    def protocol_id(self) -> str:
        """The muxer's protocol id."""
        ...

    def upgrade(self, secured: Secured, raw: RawLink, role: Role) -> MuxedLink:
        """The muxed link; its `run` moves the bytes."""
        ...


class Upgrader:
    """Negotiates security and muxer, most wanted first."""

    def __init__(self, securities: Sequence[SecurityProtocol], muxers: Sequence[Muxer]) -> None:
        self._securities = {each.protocol_id: each for each in securities}
        self._muxers = {each.protocol_id: each for each in muxers}

    async def upgrade(
        self, raw: RawLink, role: Role, expected: PeerId | None, known: str | None = None
    ) -> MuxedLink:
        """Secure and mux a raw link, closing it when that fails.

        A dialler whose first choice is `known` to be spoken saves a round trip: the handshake
        begins behind the proposal. Raises `GuessFailed` if it was wrong; `RemoteProtocolError` in
        its kinds, `ProtocolNotSupported`. The caller bounds the time.
        """
        try:
            return await self._upgrade(raw, role, expected, known)
        except BaseException:
            await anyio.aclose_forcefully(raw.stream)
            raise

    async def _upgrade(
        self, raw: RawLink, role: Role, expected: PeerId | None, known: str | None
    ) -> MuxedLink:
        offered = [
            name for name in self._securities if raw.securities is None or name in raw.securities
        ]
        if known is not None and role is Role.DIALER and offered[:1] == [known]:
            name, handshake = known, self._securities[known].handshake(role, expected)
            early = await _begin_at_once(raw.stream, Proposer([known]), handshake)
        else:
            name, early = await negotiate(
                _negotiation(role, offered),
                raw.stream.send,
                lambda: raw.stream.receive(READ_BYTES),
            )
            handshake = self._securities[name].handshake(role, expected)
        secured = await _shake_hands(raw.stream, handshake, early)
        muxer = secured.muxer
        if muxer is None:
            secured, muxer = await self._agree_on_muxer(raw.stream, secured, role)
        link = self._muxers[muxer].upgrade(secured, raw, role)
        link.security = name
        return link

    async def _agree_on_muxer(
        self, pipe: ByteStream, secured: Secured, role: Role
    ) -> tuple[Secured, str]:
        async def send(data: bytes) -> None:
            await pipe.send(bytes(secured.records.seal([data])))

        async def receive() -> bytes:
            data = b""
            while not data:
                data = b"".join(secured.records.open(await pipe.receive(READ_BYTES)))
            return data

        muxer, leftover = await negotiate(
            _negotiation(role, list(self._muxers)), send, receive, b"".join(secured.early_data)
        )
        return evolve(secured, early_data=[leftover] if leftover else []), muxer


async def _begin_at_once(pipe: ByteStream, proposer: Proposer, handshake: Handshake) -> bytes:
    """Propose and begin in one; gives what arrived behind the agreement."""
    try:
        await pipe.send(proposer.start() + handshake.step(b""))
        _, early = await hear_out(proposer, pipe.send, lambda: pipe.receive(READ_BYTES))
    except (NegotiationFailed, ProtocolNotSupported, anyio.BrokenResourceError) as error:
        raise GuessFailed(f"the guess that it takes a handshake at once: {error}") from error
    return early


async def _shake_hands(pipe: ByteStream, handshake: Handshake, early: bytes) -> Secured:
    try:
        await _send_some(pipe, handshake.step(b""))
        data = early
        while handshake.secured is None:
            if not data:
                data = await pipe.receive(READ_BYTES)
            await _send_some(pipe, handshake.step(data))
            data = b""
    except HandshakeFailed:
        if handshake.alert:
            await _send_last_words(pipe, handshake.alert)
        raise
    except (anyio.EndOfStream, anyio.BrokenResourceError) as error:
        raise HandshakeFailed("the other side hung up during the handshake") from error
    return handshake.secured


async def _send_some(pipe: ByteStream, data: bytes) -> None:
    if data:
        await pipe.send(data)


async def _send_last_words(pipe: ByteStream, alert: bytes) -> None:
    try:
        await pipe.send(alert)
    except (anyio.BrokenResourceError, anyio.ClosedResourceError):
        return


def _negotiation(role: Role, offered: Sequence[str]) -> Negotiation:
    if not offered:
        raise NegotiationFailed("nothing to offer on this link")
    return Proposer(offered) if role is Role.DIALER else Responder(offered.__contains__)
