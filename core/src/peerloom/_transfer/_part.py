"""PartFile: an incomplete file on the receiver's disk, until it gets its name.

All of it blocks: call it through `Runtime.offload`, one call at a time.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import stat
from typing import TYPE_CHECKING, Final

from peerloom._errors import TransferError

from ._names import candidate_names, part_name

if TYPE_CHECKING:
    from collections.abc import Iterable
    from io import FileIO
    from pathlib import Path

CHECK_BYTES: Final = 16 << 20  # a step of checking: some 10 ms, so that progress shows

_ATTEMPTS: Final = 3  # another process may finish the same file between opening and locking
_NO_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})


class PartFile:
    """What has arrived of a file: opened and locked, checked, appended to, and at last named.

    Attributes:
        path: where it lies, hidden, beside where the file shall be.
        size: bytes that it holds and that have gone into the hash.
    """

    def __init__(self, folder: Path, name: str, content_hash: bytes, full_size: int) -> None:
        """Open the part in an existing folder, or begin one.

        Raises OSError, or `TransferError` when another process is fetching the same file.
        """
        self.path = folder / part_name(name, content_hash)
        self.size = 0
        self._folder = folder
        self._name = name
        self._expected_hash = content_hash
        self._full_size = full_size
        self._placed = False
        self._hash = hashlib.sha256()
        self._file = _open_locked(self.path)
        if self._stored_bytes() > full_size:
            self._file.truncate(0)

    def check_some(self) -> bool:
        """Take the next piece of what lies there into the hash; gives whether there was more."""
        data = self._file.read(CHECK_BYTES)
        self._hash.update(data)
        self.size += len(data)
        return bool(data)

    def append(self, chunks: Iterable[bytes]) -> None:
        """Write the next content behind what is there."""
        for chunk in chunks:
            _write_all(self._file, chunk)
            self._hash.update(chunk)
            self.size += len(chunk)

    def is_verified(self) -> bool:
        """Whether this is the whole file, by size and hash."""
        return self.size == self._full_size and self._hash.digest() == self._expected_hash

    def place(self) -> Path:
        """Make the file durable and give it the first free name; gives where it is now."""
        os.fsync(self._file.fileno())
        final = self._take_free_name()
        self._placed = True
        _sync_folder(self._folder)
        return final

    def drop(self) -> None:
        """Delete what has arrived."""
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file and let others have it; what is there stays, unless that is nothing."""
        if self._stored_bytes() == 0 and not self._placed:
            self.drop()
        self._file.close()

    def _stored_bytes(self) -> int:
        return os.fstat(self._file.fileno()).st_size

    def _take_free_name(self) -> Path:
        for name in candidate_names(self._name):
            final = self._folder / name
            if _take_name(self.path, final):
                return final
        raise TransferError(
            f"every name from {self._name!r} on is taken in {self._folder}; move some of those "
            "files away, then run the same command again"
        )


def _write_all(file: FileIO, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _open_locked(path: Path) -> FileIO:
    for _ in range(_ATTEMPTS):
        file = _open(path)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still_there(path, file):
                return file
        except BlockingIOError:
            file.close()
            raise TransferError(
                f"another process is fetching this file into {path.parent}; let it finish, or "
                "choose another folder"
            ) from None
        except BaseException:
            file.close()
            raise
        file.close()
    raise TransferError(f"{path} keeps changing under our hands; choose another folder")


def _open(path: Path) -> FileIO:
    descriptor = _open_descriptor(path)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _not_a_file(path)
    return os.fdopen(descriptor, "r+b", buffering=0)  # a full disk must not fail the close


def _open_descriptor(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o666)
    except (FileNotFoundError, NotADirectoryError):
        raise TransferError(
            f"there is no folder {path.parent}; create it, or name another one"
        ) from None
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENXIO, errno.EISDIR}:
            raise _not_a_file(path) from None
        raise


def _is_still_there(path: Path, file: FileIO) -> bool:
    ours = os.fstat(file.fileno())
    if ours.st_nlink > 1:  # a crash between naming and unlinking: that content has its name
        path.unlink()
        return False
    try:
        return os.path.samestat(ours, path.lstat())
    except FileNotFoundError:
        return False


def _not_a_file(path: Path) -> TransferError:
    return TransferError(f"{path} is not a plain file; remove it, then run the same command again")


def _take_name(part: Path, final: Path) -> bool:
    try:
        final.hardlink_to(part)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        return _rename(part, final)
    part.unlink()
    return True


def _rename(part: Path, final: Path) -> bool:
    # A file system without hard links: looking first is the best that is left.
    if os.path.lexists(final):
        return False
    part.rename(final)
    return True


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
