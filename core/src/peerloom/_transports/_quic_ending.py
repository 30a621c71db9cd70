"""What the end of a QUIC connection means to those who used it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import define

from peerloom._errors import HandshakeFailed, LinkClosed, MuxerViolation, PeerloomError

from ._quic_engine import CRYPTO_ERROR

if TYPE_CHECKING:
    from ._quic_engine import Ending

INTERNAL_ERROR: Final = 1  # RFC 9000 section 20.1
CONNECTION_REFUSED: Final = 2

_ALERTS: Final = {  # RFC 8446 section 6.2, those that peers send in practice
    10: "unexpected message",
    40: "handshake failure",
    42: "bad certificate",
    43: "unsupported certificate",
    45: "certificate expired",
    46: "certificate unknown",
    47: "illegal parameter",
    48: "unknown certificate authority",
    50: "decode error",
    51: "decrypt error",
    80: "internal error",
    109: "missing extension",
    116: "certificate required",
    120: "no application protocol",
}
_IDLE_WORDS: Final = ("idle", "timeout", "timed out")


Cause = PeerloomError | OSError


@define
class Fate:
    """Whether a connection goes on; it outlives the connection, for streams that are still held.

    Attributes:
        closing: whether this side is about to end it.
        over: whether it has ended.
        cause: why, or None after a clean end.
    """

    closing: bool = False
    over: bool = False
    cause: Cause | None = None

    def raise_if_ended(self) -> None:
        """Raise `LinkClosed` if the connection has ended, or is about to."""
        if self.closing or self.over:
            raise LinkClosed(f"the connection has ended: {self.cause or 'closed'}") from self.cause


def cause_of(ending: Ending, *, established: bool) -> PeerloomError | None:
    """The error that tells of an ending, or None for a clean one."""
    if ending.frame_type is None:
        return _of_application(ending, established=established)
    if CRYPTO_ERROR <= ending.code < CRYPTO_ERROR + 256:
        return _of_handshake(ending)
    if ending.by_peer:
        return _of_peer(ending)
    if any(word in ending.reason.lower() for word in _IDLE_WORDS):
        return LinkClosed("the other side has fallen silent")
    code = f"code {ending.code:#x}{_text(ending)}"
    return MuxerViolation(f"the other side broke the rules of QUIC: {code}")


def _of_application(ending: Ending, *, established: bool) -> PeerloomError | None:
    if ending.clean and established:
        return None
    return _of_peer(ending) if ending.by_peer else LinkClosed(f"closed here{_text(ending)}")


def _of_handshake(ending: Ending) -> PeerloomError:
    alert = ending.code - CRYPTO_ERROR
    who = "the other side refused the handshake" if ending.by_peer else "the handshake failed"
    name = _ALERTS.get(alert, "unknown")
    return HandshakeFailed(f"{who}: TLS alert {alert} ({name}){_text(ending)}")


def _of_peer(ending: Ending) -> PeerloomError:
    if ending.frame_type is not None and ending.code == CONNECTION_REFUSED:
        return LinkClosed("the other side has no room for this connection")
    code = f"code {ending.code:#x}{_text(ending)}"
    return LinkClosed(f"the other side ended the connection: {code}")


def _text(ending: Ending) -> str:
    return f": {ending.reason[:200]!r}" if ending.reason else ""
