"""The border with py-libp2p: keys, signed records, and its wire messages under our own names.

Importing this package is cheap: py-libp2p itself (more than half a second) is imported by `load`,
or by the first use of a record or a message class.
"""

from __future__ import annotations

from ._keys import KEY_TYPES, KeyPair, KeyType, PublicKey
from ._messages import identify_message, load, noise_payload_message
from ._records import PeerRecord, open_peer_record, seal_peer_record

__all__ = [
    "KEY_TYPES",
    "KeyPair",
    "KeyType",
    "PeerRecord",
    "PublicKey",
    "identify_message",
    "load",
    "noise_payload_message",
    "open_peer_record",
    "seal_peer_record",
]
