"""What a peer cannot do, and why: such rows are not run, and the matrix says so.

Each reason names where the peer's code shows it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .cases import Row

WE_DIAL: Final = "we dial"
THEY_DIAL: Final = "they dial"
# Who dials and opens the streams, and on which event loop our node is then.
DIRECTIONS: Final = {WE_DIAL: "asyncio", THEY_DIAL: "trio"}
BOTH: Final = (WE_DIAL, THEY_DIAL)

_PY_ECDSA: Final = "its ECDSA keys neither sign nor verify (libp2p/crypto/ecc.py)"
_PY_QUIC: Final = (
    "over QUIC it loses what comes with a stream's end, and takes an end behind its own for a "
    "reset (libp2p/transport/quic/stream.py, read)"
)
_JS_ECDSA: Final = "it makes no peer id of an ECDSA key (@libp2p/peer-id, peerIdFromPublicKey)"

_JS_QUIC_RESET: Final = (
    "it takes a reset for the stream's end (@chainsafe/libp2p-quic, stream.js, readFromStream)"
)
_JS_QUIC_PAUSE: Final = (
    "it reads on while a stream is paused, and resets it when 4 MiB wait "
    "(@chainsafe/libp2p-quic, stream.js, sendPause)"
)

_PY_ANONYMOUS: Final = (
    "each of its messages has an author and a number (libp2p/pubsub/pubsub.py, publish), by which "
    "alone its message cache knows it (libp2p/pubsub/mcache.py, put)"
)

_JS_QUIC_EARLY: Final = (
    "we wait for its answer over QUIC, where it loses an end of stream that comes before "
    "(peerloom._swarm._acquaintances, LOSES_ENDS_OVER_QUIC)"
)

_RUST_QUIC_RESET: Final = (
    "it has no reset but dropping a stream, which over QUIC ends it cleanly "
    "(quinn, send_stream.rs, Drop; libp2p-quic, connection/stream.rs)"
)

# Over what the peers' programs play rows in which streams end; any other row over all.
TRANSPORTS: Final = {
    "js": ("tcp", "quic"),
    "py": ("tcp",),
    "go": ("tcp", "quic"),
    "rust": ("tcp", "quic"),
}

# Each line: a scenario by its name, a peer, who dials, and the reason.
NOT_OFFERED: Final[tuple[tuple[str, str, tuple[str, ...], str], ...]] = (
    ("identity: ecdsa, tls", "js", BOTH, _JS_ECDSA),
    ("identity: ecdsa, noise", "js", BOTH, _JS_ECDSA),
    ("identity: ecdsa, tls", "py", BOTH, _PY_ECDSA),
    ("identity: ecdsa, noise", "py", BOTH, _PY_ECDSA),
    ("quic: identity: ecdsa", "js", BOTH, _JS_ECDSA),
    ("quic: lazy negotiation: served", "js", (WE_DIAL,), _JS_QUIC_EARLY),
    ("quic: lazy negotiation: refused", "js", (WE_DIAL,), _JS_QUIC_EARLY),
    ("quic: reset by the accepter", "js", (THEY_DIAL,), _JS_QUIC_RESET),
    ("quic: reset by the opener", "js", (WE_DIAL,), _JS_QUIC_RESET),
    ("quic: reset by the accepter", "rust", (WE_DIAL,), _RUST_QUIC_RESET),
    ("quic: reset by the opener", "rust", (THEY_DIAL,), _RUST_QUIC_RESET),
    ("quic: slow reader: the accepter, 64 MiB pending", "js", (WE_DIAL,), _JS_QUIC_PAUSE),
    ("quic: slow reader: the opener, 64 MiB pending", "js", (THEY_DIAL,), _JS_QUIC_PAUSE),
    ("gossipsub: without signatures, known by their hash", "py", BOTH, _PY_ANONYMOUS),
    ("quic: gossipsub: without signatures, known by their hash", "py", BOTH, _PY_ANONYMOUS),
)


def why_not_offered(scenario: Row, peer: str, direction: str) -> str | None:
    """Why a row is not run, or None if it is."""
    if scenario.ends_streams and scenario.transport not in TRANSPORTS[peer]:
        return _WHY_NOT_SPOKEN[peer, scenario.transport]
    return _REASONS.get((scenario.name, peer, direction))


_WHY_NOT_SPOKEN: Final = {("py", "quic"): _PY_QUIC}
_REASONS: Final = {
    (scenario, peer, direction): reason
    for scenario, peer, directions, reason in NOT_OFFERED
    for direction in directions
}
