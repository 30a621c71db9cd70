"""ProtocolTable: which protocols are accepted from others, by whom, and how many streams run."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from attrs import frozen

from peerloom._behaviour import InboundProtocol
from peerloom._dispatch import is_async, name_of
from peerloom._errors import PluginError, StreamError, StreamLimitReached

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from peerloom._behaviour import Behaviour
    from peerloom._peer_id import PeerId


@frozen
class Entry:
    """A protocol in service.

    Attributes:
        owner: the plugin that serves it.
        inbound: how it serves it.
    """

    owner: str
    inbound: InboundProtocol


def check_offer(protocols: Sequence[str]) -> None:
    """Raise TypeError unless that is a sequence of protocol ids; text would be one of letters."""
    if isinstance(protocols, str) or not protocols or not isinstance(protocols[0], str):
        raise TypeError(f"expected protocol ids, as in ['/echo/1.0.0'], found {protocols!r}")


class ProtocolTable:
    """The protocols in service, and how many of their streams run, by peer and in all."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._streams: Counter[str] = Counter()
        self._streams_of_peer: Counter[tuple[str, PeerId]] = Counter()

    def install(self, owner: str, behaviours: Sequence[Behaviour]) -> bool:
        """Replace what an owner serves; gives whether the protocols changed.

        Raises `PluginError` if another owner serves one of them, or if one is none; then nothing
        changes.
        """
        entries: dict[str, Entry] = {}
        for behaviour in behaviours:
            for protocol, inbound in behaviour.protocols.items():
                _check_kinds(protocol, inbound, owner)
                self._check_free(protocol, owner, entries)
                entries[protocol] = Entry(owner, inbound)
        before = self.names()
        self._drop(owner)
        self._entries.update(entries)
        return self.names() != before

    def withdraw(self, owner: str) -> bool:
        """Take an owner's protocols out of service; gives whether there were any."""
        before = self.names()
        self._drop(owner)
        return self.names() != before

    def names(self) -> tuple[str, ...]:
        """The protocols in service, sorted."""
        return tuple(sorted(self._entries))

    def find(self, protocol: str) -> Entry | None:
        """Who serves a protocol."""
        return self._entries.get(protocol)

    def accepts(self, protocol: str, *, limited: bool) -> bool:
        """Whether such a stream is served on a connection of that kind."""
        entry = self._entries.get(protocol)
        return entry is not None and (not limited or entry.inbound.runs_on_limited)

    def holds_connection(self, protocol: str) -> bool:
        """Whether open streams of a protocol keep a connection; those not known here do."""
        entry = self._entries.get(protocol)
        return entry is None or entry.inbound.holds_connection

    def acquire(self, protocol: str, peer: PeerId) -> Callable[[], None]:
        """Count an inbound stream; gives what to call once when it has ended.

        Raises `StreamLimitReached` past a bound of the protocol, `StreamError` when it has been
        withdrawn meanwhile.
        """
        entry = self._entries.get(protocol)
        if entry is None:
            raise StreamError(f"{protocol} is not served any more")
        inbound = entry.inbound
        if self._streams[protocol] >= inbound.max_streams:
            raise StreamLimitReached(f"{inbound.max_streams} streams of {protocol} are open")
        key = (protocol, peer)
        if self._streams_of_peer[key] >= inbound.max_streams_per_peer:
            raise StreamLimitReached(
                f"{inbound.max_streams_per_peer} streams of {protocol} with {peer} are open"
            )
        self._streams[protocol] += 1
        self._streams_of_peer[key] += 1
        return lambda: self._release(protocol, peer)

    def open_streams(self) -> dict[str, int]:
        """How many inbound streams of each protocol are open."""
        return {protocol: count for protocol, count in self._streams.items() if count}

    def _release(self, protocol: str, peer: PeerId) -> None:
        self._streams[protocol] -= 1
        self._streams_of_peer[protocol, peer] -= 1
        if not self._streams_of_peer[protocol, peer]:
            del self._streams_of_peer[protocol, peer]

    def _check_free(self, protocol: str, owner: str, own: dict[str, Entry]) -> None:
        if protocol in own:
            raise PluginError(f"{owner} serves the protocol {protocol} twice")
        entry = self._entries.get(protocol)
        if entry is not None and entry.owner != owner:
            raise PluginError(
                f"the protocol {protocol} of {owner} is already served by {entry.owner}: "
                "disable one of the two"
            )

    def _drop(self, owner: str) -> None:
        self._entries = {
            name: entry for name, entry in self._entries.items() if entry.owner != owner
        }


def _check_kinds(protocol: object, inbound: object, owner: str) -> None:
    if not isinstance(protocol, str) or not isinstance(inbound, InboundProtocol):
        raise PluginError(
            f"{owner} serves {protocol!r} by {inbound!r}: map a protocol id, which is text, to an "
            "InboundProtocol"
        )
    if not is_async(inbound.handler):
        raise PluginError(
            f"{owner} serves {protocol} by {name_of(inbound.handler)}, which is not async: make "
            "the handler an `async def`"
        )
