"""Files from peer to peer, by ticket: hashed, resumed, verified, and never half there."""

from ._events import FileRequested, FileServed
from ._offer import OfferedFile, offer_file
from ._plugin import TransferPlugin
from ._receive import Progress, Stage, receive_file

__all__ = [
    "FileRequested",
    "FileServed",
    "OfferedFile",
    "Progress",
    "Stage",
    "TransferPlugin",
    "offer_file",
    "receive_file",
]
