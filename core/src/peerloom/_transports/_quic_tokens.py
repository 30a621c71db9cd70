"""RetryTokens: proof that somebody receives at the address from which it sends."""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from peerloom._runtime import Runtime

    from ._quic_engine import SocketAddress

TOKEN_SECONDS: Final = 30.0  # honest peers come back after one round trip
_TAG_BYTES: Final = 16
_TIME_BYTES: Final = 8


class RetryTokens:
    """Makes and checks tokens; keeps nothing but a key.

    A token is the time, the id under which the connection began, and a MAC of both with the address
    and the id that the Retry packet told the other side to use.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._key = runtime.secret_bytes(32)

    def make(self, remote: SocketAddress, original: bytes, told: bytes, now: float) -> bytes:
        """A token for a Retry packet."""
        content = int(now * 1000).to_bytes(_TIME_BYTES, "big") + original
        return self._tag(remote, told, content) + content

    def check(self, remote: SocketAddress, told: bytes, token: bytes, now: float) -> bytes | None:
        """The id under which the connection began, or None if the token proves nothing."""
        tag, content = token[:_TAG_BYTES], token[_TAG_BYTES:]
        if len(content) < _TIME_BYTES:
            return None
        if not hmac.compare_digest(tag, self._tag(remote, told, content)):
            return None
        age = now - int.from_bytes(content[:_TIME_BYTES], "big") / 1000
        return content[_TIME_BYTES:] if age <= TOKEN_SECONDS else None

    def _tag(self, remote: SocketAddress, told: bytes, content: bytes) -> bytes:
        where = f"{remote[0]} {remote[1]}".encode()
        return hmac.digest(self._key, b"\0".join((where, told, content)), sha256)[:_TAG_BYTES]
