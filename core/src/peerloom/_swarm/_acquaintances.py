"""Acquaintances: what earlier dealings have told of peers, so that less need be asked. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import define

if TYPE_CHECKING:
    from collections.abc import Collection

    from peerloom._peer_id import PeerId

MAX_PEERS: Final = 4096  # as many as the address book knows
MAX_PROTOCOLS: Final = 256  # of one peer; honest ones speak some twenty


@define
class _Known:
    security: str | None = None
    protocols: Collection[str] | None = None


class Acquaintances:
    """What peers speak; the one longest unheard of is forgotten first."""

    def __init__(self) -> None:
        self._known: dict[PeerId, _Known] = {}

    def security_of(self, peer: PeerId | None) -> str | None:
        """The security protocol that a peer took when it was dialled last, or None."""
        known = self._known.get(peer) if peer is not None else None
        return known.security if known else None

    def took_security(self, peer: PeerId, security: str | None) -> None:
        """A dialled peer took this security protocol; None: forget which."""
        self._touch(peer).security = security

    def speaks(self, peer: PeerId, protocol: str) -> bool | None:
        """Whether a peer accepts streams of a protocol; None if it has never said."""
        known = self._known.get(peer)
        if known is None or known.protocols is None:
            return None
        return protocol in known.protocols

    def said(self, peer: PeerId, protocols: Collection[str]) -> None:
        """A peer has listed what it speaks."""
        if len(protocols) <= MAX_PROTOCOLS:
            self._touch(peer).protocols = protocols

    def refused(self, peer: PeerId, protocol: str) -> None:
        """A peer does not speak a protocol any more."""
        known = self._known.get(peer)
        if known is not None and known.protocols is not None:
            known.protocols = [each for each in known.protocols if each != protocol]

    def _touch(self, peer: PeerId) -> _Known:
        known = self._known.pop(peer, None) or _Known()
        if len(self._known) >= MAX_PEERS:
            del self._known[next(iter(self._known))]
        self._known[peer] = known
        return known
