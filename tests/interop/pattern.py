"""The bytes that scripted streams carry; see README.md, "The bytes"."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK_BYTES: Final = 65_536
_DIGESTS: Final = 2_048
_HEADER: Final = 16


def pattern(seed: int, count: int) -> Iterator[bytes]:
    """The first `count` bytes of the pattern, block by block."""
    base = b"".join(
        hashlib.sha256(seed.to_bytes(8, "big") + index.to_bytes(4, "big")).digest()
        for index in range(_DIGESTS)
    )
    for index in range(-(-count // BLOCK_BYTES)):
        block = index.to_bytes(8, "big") + base[8:]
        yield block[: count - index * BLOCK_BYTES]


def pattern_sha256(seed: int, count: int) -> str:
    """What a stream of that pattern must hash to."""
    digest = hashlib.sha256()
    for block in pattern(seed, count):
        digest.update(block)
    return digest.hexdigest()


def request_header(count: int, seed: int) -> bytes:
    """What an opener of ``/test/source/1`` and ``/test/reset/1`` sends."""
    return count.to_bytes(8, "big") + seed.to_bytes(8, "big")


def read_header(header: bytes) -> tuple[int, int]:
    """Count and seed of a request header."""
    return int.from_bytes(header[:8], "big"), int.from_bytes(header[8:_HEADER], "big")
