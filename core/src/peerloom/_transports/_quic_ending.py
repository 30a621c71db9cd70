"""What the end of a QUIC connection means to those who used it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

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


def cause_of(ending: Ending, *, established: bool) -> PeerloomError | None:
    """The error that tells of an ending, or None for a clean one."""
    text = _text(ending)
    if CRYPTO_ERROR <= ending.code < CRYPTO_ERROR + 256 and ending.frame_type is not None:
        alert = ending.code - CRYPTO_ERROR
        text = f"TLS alert {alert} ({_ALERTS.get(alert, 'unknown')}){text}"
        who = "the other side refused the handshake" if ending.by_peer else "the handshake failed"
        return HandshakeFailed(f"{who}: {text}")
    if ending.frame_type is not None and ending.code == CONNECTION_REFUSED:
        return LinkClosed("the other side has no room for this connection")
    if ending.frame_type is None and ending.clean and established:
        return None
    if not ending.by_peer and any(word in ending.reason.lower() for word in _IDLE_WORDS):
        return LinkClosed("the other side has fallen silent")
    if ending.by_peer:
        return LinkClosed(f"the other side ended the connection: code {ending.code:#x}{text}")
    if ending.frame_type is None:
        return LinkClosed(f"closed here{text}")
    return MuxerViolation(f"the other side broke the rules of QUIC: code {ending.code:#x}{text}")


def _text(ending: Ending) -> str:
    return f": {ending.reason[:200]!r}" if ending.reason else ""
