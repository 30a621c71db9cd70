"""The bytes that bulk benchmarks carry, and the hash by which a receiver verifies them."""

from __future__ import annotations

from itertools import cycle, islice
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from tests.interop.pattern import BLOCK_BYTES, pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["BLOCK_BYTES", "Tag", "blocks", "blocks_of", "expected_tag"]

# A prime number of blocks goes round, so that nothing that a library buffers in powers of two
# can come twice or not at all without a different hash. Making each anew would cost a copy.
_BLOCKS: Final = 61
_KEY: Final = bytes(16)
_NONCE: Final = bytes(12)


class Tag:
    """GMAC under a fixed key: the hash that costs least wherever there is AES-GCM.

    It runs at 6.5 GB/s in Python and in Node.js; SHA-256 at 0.8 and 1.5, more than the transfer.
    """

    def __init__(self) -> None:
        self._state = Cipher(algorithms.AES(_KEY), modes.GCM(_NONCE)).encryptor()

    def update(self, data: bytes | memoryview) -> None:
        """Take the next bytes."""
        self._state.authenticate_additional_data(data)

    def digest(self) -> bytes:
        """The 16 bytes of the tag; nothing can be added any more."""
        self._state.finalize()
        return self._state.tag


def blocks_of(seed: int) -> Sequence[bytes]:
    """The blocks that go round."""
    return list(pattern(seed, _BLOCKS * BLOCK_BYTES))


def blocks(ring: Sequence[bytes], nbytes: int, first: int = 0) -> Iterator[bytes]:
    """As many of them as make up that many bytes, a multiple of their size, from `first` on."""
    start = first % len(ring)
    return islice(cycle(ring), start, start + nbytes // BLOCK_BYTES)


def expected_tag(seed: int, nbytes: int, first: int = 0) -> str:
    """What a receiver must report, in hexadecimal."""
    tag = Tag()
    for block in blocks(blocks_of(seed), nbytes, first):
        tag.update(block)
    return tag.digest().hex()
