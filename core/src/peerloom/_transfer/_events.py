"""What the sender of a file tells about those who fetch it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from peerloom._events import Event

if TYPE_CHECKING:
    from peerloom._peer_id import PeerId

    from ._offer import OfferedFile


@frozen
class FileRequested(Event):
    """A peer has begun to fetch an offered file.

    Attributes:
        peer: who fetches.
        file: what.
        offset: bytes that the peer had already.
    """

    peer: PeerId
    file: OfferedFile
    offset: int


@frozen
class FileServed(Event):
    """A peer has stopped fetching an offered file.

    Attributes:
        peer: who fetched.
        file: what.
        sent_bytes: content sent this time.
        verified: whether the peer says that it has the whole file and that its hash is right.
        cause: why it did not come to that, or None.
    """

    peer: PeerId
    file: OfferedFile
    sent_bytes: int
    verified: bool
    cause: str | None
