"""What a peer cannot do, and why: such rows are not run, and the matrix says so.

Each reason names where the peer's code shows it.
"""

from __future__ import annotations

from typing import Final

from .matrix import Row

WE_DIAL: Final = "we dial"
THEY_DIAL: Final = "they dial"
BOTH: Final = (WE_DIAL, THEY_DIAL)

_PY_ECDSA: Final = "its ECDSA keys neither sign nor verify (libp2p/crypto/ecc.py)"
_JS_ECDSA: Final = "it makes no peer id of an ECDSA key (@libp2p/peer-id, peerIdFromPublicKey)"

# Each line: a scenario by its name, a peer, who dials, and the reason.
NOT_OFFERED: Final[tuple[tuple[str, str, tuple[str, ...], str], ...]] = (
    ("identity: ecdsa, tls", "js", BOTH, _JS_ECDSA),
    ("identity: ecdsa, noise", "js", BOTH, _JS_ECDSA),
    ("identity: ecdsa, tls", "py", BOTH, _PY_ECDSA),
    ("identity: ecdsa, noise", "py", BOTH, _PY_ECDSA),
)


def rows_not_offered() -> list[Row]:
    """The rows of the matrix that are not run."""
    return [
        Row(scenario, peer, direction, "not offered", reason)
        for scenario, peer, directions, reason in NOT_OFFERED
        for direction in directions
    ]


def is_offered(scenario: str, peer: str, direction: str) -> bool:
    """Whether a row is to be run."""
    return not any(
        (row.scenario, row.peer, row.direction) == (scenario, peer, direction)
        for row in rows_not_offered()
    )
