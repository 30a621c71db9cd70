"""What a peer cannot do, and why: such rows are not run, and the matrix says so.

Each reason names where the peer's code shows it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .matrix import Row

if TYPE_CHECKING:
    from .scenarios import Scenario

WE_DIAL: Final = "we dial"
THEY_DIAL: Final = "they dial"
BOTH: Final = (WE_DIAL, THEY_DIAL)

_PY_ECDSA: Final = "its ECDSA keys neither sign nor verify (libp2p/crypto/ecc.py)"
_JS_ECDSA: Final = "it makes no peer id of an ECDSA key (@libp2p/peer-id, peerIdFromPublicKey)"

_JS_QUIC_RESET: Final = (
    "it takes a reset for the stream's end (@chainsafe/libp2p-quic, stream.js, readFromStream)"
)
_JS_QUIC_PAUSE: Final = (
    "it reads on while a stream is paused, and resets it when 4 MiB wait "
    "(@chainsafe/libp2p-quic, stream.js, sendPause)"
)

_RUST_QUIC_RESET: Final = (
    "it has no reset but dropping a stream, which over QUIC ends it cleanly "
    "(quinn, send_stream.rs, Drop; libp2p-quic, connection/stream.rs)"
)

# What the peers' programs speak; rows over other transports are left out without a word.
TRANSPORTS: Final = {"js": ("tcp", "quic"), "py": ("tcp",), "rust": ("tcp", "quic")}

# Each line: a scenario by its name, a peer, who dials, and the reason.
NOT_OFFERED: Final[tuple[tuple[str, str, tuple[str, ...], str], ...]] = (
    ("identity: ecdsa, tls", "js", BOTH, _JS_ECDSA),
    ("identity: ecdsa, noise", "js", BOTH, _JS_ECDSA),
    ("identity: ecdsa, tls", "py", BOTH, _PY_ECDSA),
    ("identity: ecdsa, noise", "py", BOTH, _PY_ECDSA),
    ("quic: identity: ecdsa", "js", BOTH, _JS_ECDSA),
    ("quic: reset by the accepter", "js", (THEY_DIAL,), _JS_QUIC_RESET),
    ("quic: reset by the opener", "js", (WE_DIAL,), _JS_QUIC_RESET),
    ("quic: reset by the accepter", "rust", (WE_DIAL,), _RUST_QUIC_RESET),
    ("quic: slow reader: the accepter, 64 MiB pending", "js", (WE_DIAL,), _JS_QUIC_PAUSE),
    ("quic: slow reader: the opener, 64 MiB pending", "js", (THEY_DIAL,), _JS_QUIC_PAUSE),
)


def rows_not_offered() -> list[Row]:
    """The rows of the matrix that are not run."""
    return [
        Row(scenario, peer, direction, "not offered", reason)
        for scenario, peer, directions, reason in NOT_OFFERED
        for direction in directions
    ]


def is_offered(scenario: Scenario, peer: str, direction: str) -> bool:
    """Whether a row is to be run."""
    return scenario.transport in TRANSPORTS[peer] and not any(
        (row.scenario, row.peer, row.direction) == (scenario.name, peer, direction)
        for row in rows_not_offered()
    )
