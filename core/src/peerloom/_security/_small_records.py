"""SmallRecords: OpenSSL's records of small messages; all that knows private names of pyOpenSSL.

What pyOpenSSL does around each call costs more than to encrypt a hundred bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from OpenSSL import SSL

if TYPE_CHECKING:
    from collections.abc import Callable

SMALL_BYTES: Final = 1024  # of plaintext
_BUFFER_BYTES: Final = 1536

_library: Any = SSL._lib  # type: ignore[attr-defined]  # noqa: SLF001
_ffi: Any = SSL._ffi  # type: ignore[attr-defined]  # noqa: SLF001
_write: Callable[[Any, bytes, int], int] = _library.SSL_write
_read: Callable[[Any, Any, int], int] = _library.SSL_read
_put: Callable[[Any, bytes, int], int] = _library.BIO_write
_fetch: Callable[[Any, Any, int], int] = _library.BIO_read


class SmallRecords:
    """Of one connection, which goes on serving the large ones."""

    def __init__(self, connection: SSL.Connection) -> None:
        private: Any = connection
        self._ssl = private._ssl  # noqa: SLF001
        self._incoming = private._into_ssl  # noqa: SLF001
        self._outgoing = private._from_ssl  # noqa: SLF001
        self._raise: Callable[[Any, int], None] = private._raise_ssl_error  # noqa: SLF001
        self._buffer = _ffi.new(f"char[{_BUFFER_BYTES}]")
        self._view = _ffi.buffer(self._buffer)

    def seal(self, data: bytes) -> tuple[bytes, bool]:
        """Encrypt at most `SMALL_BYTES`; gives what is to be sent, and whether there is more.

        Raises `SSL.Error`.
        """
        if (written := _write(self._ssl, data, len(data))) <= 0:
            self._raise(self._ssl, written)
        size = _fetch(self._outgoing, self._buffer, _BUFFER_BYTES)
        return self._view[:size], size == _BUFFER_BYTES

    def put(self, record: bytes) -> None:
        """Take in what has come."""
        _put(self._incoming, record, len(record))

    def receive(self) -> bytes:
        """Decrypt what has come first; raises `SSL.Error`."""
        if (size := _read(self._ssl, self._buffer, _BUFFER_BYTES)) <= 0:
            self._raise(self._ssl, size)
        return self._view[:size]  # type: ignore[no-any-return]
