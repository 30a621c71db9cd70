"""OpenSslRecords: OpenSSL's TLS records; all that knows private names of pyOpenSSL.

What pyOpenSSL does around each call costs more than to encrypt a hundred bytes. It calls for each
record of 16 KiB, where the copies and checks around it took half as long as the decryption.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from OpenSSL import SSL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from peerloom._links import Buffer

SMALL_BYTES: Final = 1024  # of plaintext
RECORDS_A_PIECE: Final = 256  # small ones; of the largest 4 MiB
_SMALL_BUFFER_BYTES: Final = 1536
# More than that costs more to copy, that there be one record less, than to encrypt by itself.
_LARGE_BYTES: Final = 32 * 1024
_RUN_BYTES: Final = 64 * 1024
_PLAIN_RECORD_BYTES: Final = 16 * 1024
_RECORD_OVERHEAD_BYTES: Final = 64  # header, type and tag take 22
_RECORD_BYTES: Final = 17 * 1024  # of which a part may have been taken from what came before

_library: Any = SSL._lib  # type: ignore[attr-defined]  # noqa: SLF001
_ffi: Any = SSL._ffi  # type: ignore[attr-defined]  # noqa: SLF001
_NULL: Final = _ffi.NULL
_WANT_READ: Final = _library.SSL_ERROR_WANT_READ
_write: Callable[[Any, Any, int], int] = _library.SSL_write
_read: Callable[[Any, Any, int], int] = _library.SSL_read
_error_of: Callable[[Any, int], int] = _library.SSL_get_error
_put: Callable[[Any, Any, int], int] = _library.BIO_write
_fetch: Callable[[Any, Any, int], int] = _library.BIO_read
_waiting: Callable[[Any, Any], int] = _library.BIO_get_mem_data
# The thread has one queue of errors: OpenSSL takes what others left in it for its own.
_clear_errors: Callable[[], None] = _library.ERR_clear_error
_allocate: Callable[[str, int], Any] = _ffi.new_allocator(should_clear_after_alloc=False)


class OpenSslRecords:
    """Of one connection over memory."""

    def __init__(self, connection: SSL.Connection) -> None:
        private: Any = connection
        self._ssl = private._ssl  # noqa: SLF001
        self._incoming = private._into_ssl  # noqa: SLF001
        self._outgoing = private._from_ssl  # noqa: SLF001
        self._raise: Callable[[Any, int], None] = private._raise_ssl_error  # noqa: SLF001
        self._small = _ffi.new(f"char[{_SMALL_BUFFER_BYTES}]")
        self._small_view = _ffi.buffer(self._small)
        self._broken: SSL.Error | None = None

    def seal(self, pieces: Iterable[Buffer]) -> bytes | memoryview:
        """Encrypt; gives what is to be sent. Raises `SSL.Error`."""
        if self._broken is not None:
            raise self._broken
        _clear_errors()
        runs: list[Buffer] = []
        few: list[Buffer] = []
        for piece in pieces:
            if len(piece) < _LARGE_BYTES:
                few.append(piece)
            else:
                runs += _parts(b"".join(few))
                runs += _parts(piece)
                few = []
        rest = b"".join(few)
        if runs or len(rest) > SMALL_BYTES:
            return self._seal_all([*runs, *_parts(rest)])
        if rest:
            self._write(rest)
        return self.output()

    def output(self) -> bytes | memoryview:
        """All that OpenSSL wants to send."""
        if not (size := _waiting(self._outgoing, _NULL)):
            return b""
        if size <= _SMALL_BUFFER_BYTES:
            _fetch(self._outgoing, self._small, size)
            return self._small_view[:size]  # type: ignore[no-any-return]
        buffer = _allocate("char[]", size)
        _fetch(self._outgoing, buffer, size)
        return memoryview(_ffi.buffer(buffer))

    def put(self, data: Buffer) -> None:
        """Take in what has come."""
        _put(self._incoming, data if type(data) is bytes else _ffi.from_buffer(data), len(data))

    def receive_one(self) -> bytes:
        """The only record that has come, a small one. Raises `SSL.Error`."""
        _clear_errors()
        if (size := _read(self._ssl, self._small, _SMALL_BUFFER_BYTES)) <= 0:
            self._raise(self._ssl, size)
        return self._small_view[:size]  # type: ignore[no-any-return]

    def receive(self) -> Iterator[bytes]:
        """Decrypt all that has come, so many records a piece. Raises `SSL.Error` behind them."""
        size = 1
        while size > 0:
            room = _waiting(self._incoming, _NULL) + _RECORD_BYTES
            buffer = _allocate("char[]", room)
            filled = 0
            _clear_errors()
            for _ in range(RECORDS_A_PIECE):
                if (size := _read(self._ssl, buffer + filled, room - filled)) <= 0:
                    break
                filled += size
            # At once: what OpenSSL has to say of an error, it says to whoever asks next.
            failure = self._failure(size)
            if filled or failure is None:  # thousands of key updates say nothing and take long
                yield _ffi.buffer(buffer, filled)[:]
            if failure is not None:
                raise failure

    def _failure(self, size: int) -> SSL.Error | None:
        if size <= 0 and _error_of(self._ssl, size) != _WANT_READ:
            try:
                self._raise(self._ssl, size)
            except SSL.ZeroReturnError as end:
                return end
            except SSL.Error as error:
                self._broken = error
                return error
        return None

    def _seal_all(self, runs: Sequence[Buffer]) -> memoryview:
        # Fetched run by run: OpenSSL keeps for the connection the memory that it has once needed.
        room = _waiting(self._outgoing, _NULL) + sum(map(_sealed_bytes, runs))
        buffer, filled = _allocate("char[]", room), 0
        for run in runs:
            self._write(run)
            filled += _fetch(self._outgoing, buffer + filled, room - filled)
        return memoryview(_ffi.buffer(buffer, filled))

    def _write(self, data: Buffer) -> None:
        plain = data if type(data) is bytes else _ffi.from_buffer(data)
        if (written := _write(self._ssl, plain, len(data))) <= 0:
            self._raise(self._ssl, written)


def _parts(data: Buffer) -> Sequence[Buffer]:
    if len(data) <= _RUN_BYTES:
        return (data,) if data else ()
    view = memoryview(data)
    return [view[start : start + _RUN_BYTES] for start in range(0, len(view), _RUN_BYTES)]


def _sealed_bytes(run: Buffer) -> int:
    return len(run) + (len(run) // _PLAIN_RECORD_BYTES + 1) * _RECORD_OVERHEAD_BYTES
