"""Every error that Peerloom raises.

::

    PeerloomError
    ├── ConfigError                 a setting is unknown or wrong
    ├── IdentityError               a key file cannot be read, parsed or written
    ├── PluginError                 a plugin cannot be used
    ├── TicketError                 a ticket is mistyped, cut short or of another version
    ├── DataFolderInUse             another process runs a node from the same data folder
    ├── StoreFull                   a plugin keeps more than its part of the store may hold
    ├── TransferError               a file cannot be offered, fetched or stored
    │   └── TransferBroken          it broke off, and the next attempt goes on from there
    ├── CommandError
    │   ├── NoHandler               no plugin of this node answers that command
    │   ├── CommandTimedOut         the handler did not answer within the command's bound
    │   └── NodeClosed              the node is not running
    ├── ListenFailed                an address cannot be listened on
    ├── DialFailed                  no address of a peer led to a connection
    ├── LinkClosed                  the connection ended; carries why
    ├── StreamError
    │   ├── StreamReset             the stream was reset, here or by the other side
    │   ├── StreamLimitReached      one more stream would pass a bound
    │   └── ProtocolNotSupported    the other side speaks none of the protocols offered
    └── RemoteProtocolError         the other side broke a protocol
        ├── NegotiationFailed       multistream-select
        ├── HandshakeFailed         TLS or Noise
        │   └── WrongPeerId         somebody else answered
        ├── MuxerViolation          yamux
        ├── RecordError             an encrypted record was tampered with or cut short
        └── MalformedMessage        a message cannot be decoded, or is longer than its bound
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from multiaddr import Multiaddr

    from ._peer_id import PeerId


class PeerloomError(Exception):
    """Base of all errors that Peerloom raises on purpose."""


class ConfigError(PeerloomError):
    """A setting is unknown or wrong; the text names it, where it stands, and what to write."""


class IdentityError(PeerloomError):
    """The key of a node cannot be read, parsed or written; the text names the file."""


class PluginError(PeerloomError):
    """A plugin cannot be used; the text names its distribution, its version and the cause."""


class TicketError(PeerloomError):
    """A ticket cannot be read; the text says what is wrong with it and what to do."""


class TransferError(PeerloomError):
    """A file cannot be offered, fetched or stored; the text says why and what to do."""


class TransferBroken(TransferError):
    """A transfer broke off; what has arrived is kept, and the next attempt goes on from there."""


class DataFolderInUse(PeerloomError):
    """Another process holds the data folder: stop it, or name another folder.

    Attributes:
        folder: the folder.
        holder: who holds it, in words.
    """

    def __init__(self, folder: str, holder: str) -> None:
        super().__init__(
            f"the data folder {folder} is in use by {holder}: two nodes must never share an "
            "identity. Stop that one, or name another folder by data_folder, "
            "or by --data in a terminal"
        )
        self.folder = folder
        self.holder = holder


class StoreFull(PeerloomError):
    """A plugin keeps more than its part of the store may hold; the text names the bound."""


class CommandError(PeerloomError):
    """A command was not carried out."""


class NoHandler(CommandError):
    """No active plugin answers this command: install or enable the one that does."""


class CommandTimedOut(CommandError, TimeoutError):
    """A command's handler did not answer within ``Command.timeout_seconds``."""


class NodeClosed(CommandError):
    """The node is not running: call it inside ``async with Node(...)``."""


class ListenFailed(PeerloomError):
    """An address cannot be listened on.

    Attributes:
        address: the address asked for.
        reason: why not.
        port_taken: whether another port might do.
    """

    def __init__(self, address: Multiaddr, reason: str, *, port_taken: bool = False) -> None:
        remedy = "; choose another port, or 0 for a free one" if port_taken else ""
        super().__init__(f"cannot listen on {address}: {reason}{remedy}")
        self.address = address
        self.reason = reason
        self.port_taken = port_taken


class DialFailed(PeerloomError):
    """No address led to a connection.

    Attributes:
        peer: the peer that was wanted, or None when only an address was dialled.
        attempts: each address that was tried, with what became of it.
    """

    def __init__(
        self,
        peer: PeerId | None,
        attempts: Sequence[tuple[Multiaddr, BaseException]],
        reason: str = "",
    ) -> None:
        lines = [f"cannot connect to {peer}" if peer else "cannot connect"]
        if reason:
            lines[0] += f": {reason}"
        lines += [f"  {address}: {describe(cause)}" for address, cause in attempts]
        super().__init__("\n".join(lines))
        self.peer = peer
        self.attempts: tuple[tuple[Multiaddr, BaseException], ...] = tuple(attempts)
        self.reason = reason


class LinkClosed(PeerloomError, anyio.ClosedResourceError):
    """The connection has ended; the text says why."""


class StreamError(PeerloomError):
    """A stream cannot be opened or used."""


class StreamReset(StreamError, anyio.BrokenResourceError):
    """The stream was reset: data may be lost, unlike at a clean end of stream."""


class StreamLimitReached(StreamError):
    """One more stream would pass a bound; close some, or raise the setting that the text names."""


class ProtocolNotSupported(StreamError):
    """The other side speaks none of the protocols offered.

    Attributes:
        protocols: what was offered, in order.
    """

    def __init__(self, peer: PeerId | None, protocols: Sequence[str]) -> None:
        super().__init__(f"{peer or 'the other side'} does not speak {', '.join(protocols)}")
        self.protocols: tuple[str, ...] = tuple(protocols)


class RemoteProtocolError(PeerloomError):
    """The other side broke a protocol; nothing on this side is at fault."""


class NegotiationFailed(RemoteProtocolError):
    """The other side does not speak multistream-select as its specification says."""


class HandshakeFailed(RemoteProtocolError):
    """A security handshake failed."""


class WrongPeerId(HandshakeFailed):
    """Somebody else answered at this address.

    Attributes:
        expected: the peer that was dialled.
        actual: the peer that proved its identity.
    """

    def __init__(self, expected: PeerId, actual: PeerId) -> None:
        super().__init__(f"expected peer {expected}, but {actual} answered")
        self.expected = expected
        self.actual = actual


class MuxerViolation(RemoteProtocolError):
    """The other side broke the rules of the muxer."""


class RecordError(RemoteProtocolError):
    """An encrypted record cannot be opened: tampered with, replayed or cut short."""


class MalformedMessage(RemoteProtocolError):
    """A message of the other side cannot be decoded, or is longer than its bound."""


_NAMELESS: Final = {
    StreamReset,
    StreamLimitReached,
    LinkClosed,
    NegotiationFailed,
    anyio.ClosedResourceError,
}


def of_stream(error: Exception, protocols: str, peer: PeerId) -> Exception:
    """What is raised below a stream, where neither is known, as an error that names them."""
    if type(error) not in _NAMELESS:
        return error
    what = str(error) or "this side has closed it, or has ended its own half"
    return type(error)(f"stream {protocols} with {peer}: {what}")


def describe(error: BaseException) -> str:
    """The error in one printable line, for another error's text, a log or a terminal."""
    text = "".join(each if each.isprintable() else "\ufffd" for each in str(error))
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
