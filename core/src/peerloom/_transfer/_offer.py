"""OfferedFile: a file to be served, hashed once and watched for changes since."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from attrs import field, frozen

from peerloom._errors import TransferError

from ._disk import visit_disk
from ._names import safe_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerloom._runtime import Runtime

CHUNK_BYTES: Final = 256 << 10  # one send
BATCH_CHUNKS: Final = 16  # 4 MiB a visit to the disk: some 2 ms, so that visits are few

_HASH_STEP_BYTES: Final = 16 << 20

Fingerprint = tuple[int, int, int, int]


@frozen
class OfferedFile:
    """A file as it was when it was offered.

    Attributes:
        path: where it lies.
        content_hash: SHA-256 of its content.
        size: its bytes.
        fingerprint: device, inode, size and modification time (ns): the content is what was
            hashed as long as these stay.
    """

    path: Path
    content_hash: bytes = field(repr=bytes.hex)
    size: int
    fingerprint: Fingerprint

    @property
    def name(self) -> str:
        """What receivers are told to call it."""
        return safe_name(self.path.name)


async def offer_file(
    path: Path, runtime: Runtime, progress: Callable[[int, int], None] | None = None
) -> OfferedFile:
    """Hash a file; `progress` is told the bytes done and the bytes in all.

    Raises `TransferError` if it cannot be read, is not a plain file, or changes meanwhile.
    """
    try:
        with await visit_disk(runtime, lambda: _open_plain(path)) as file:
            return await _hashed(Path(file.name), file, runtime, progress)
    except OSError as error:
        raise TransferError(f"cannot read {path}: {error.strerror}") from error


async def _hashed(
    path: Path,
    file: BinaryIO,
    runtime: Runtime,
    progress: Callable[[int, int], None] | None,
) -> OfferedFile:
    before = fingerprint(file)
    size, digest, done = before[2], hashlib.sha256(), 0
    while read := await visit_disk(runtime, lambda: _hash_step(file, digest)):
        done += read
        if done > size:  # it grows, perhaps for ever
            break
        if progress is not None:
            progress(done, size)
    if done != size or fingerprint(file) != before:
        raise TransferError(f"{path} changed while it was read; wait until it is complete")
    return OfferedFile(path, digest.digest(), size, before)


def _hash_step(file: BinaryIO, digest: hashlib._Hash) -> int:
    data = file.read(_HASH_STEP_BYTES)
    digest.update(data)
    return len(data)


def _open_plain(path: Path) -> BinaryIO:
    if not path.is_file():
        what = "there is no such file" if not path.exists() else "it is not a plain file"
        raise TransferError(f"cannot offer {path}: {what}")
    return path.absolute().open("rb")


def fingerprint(file: BinaryIO) -> Fingerprint:
    """What changes when a file's content does."""
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


class OpenedOffer:
    """An offered file opened to be served from an offset. All of it blocks: visit the disk.

    Attributes:
        problem: why no more can be read of what was hashed, or None; found at each visit.
    """

    def __init__(self, offer: OfferedFile, offset: int) -> None:
        """Open it; raises OSError."""
        self._offer = offer
        self._file = offer.path.open("rb")
        self._file.seek(offset)
        self.problem: str | None = None
        self._notice_change()

    def read_batch(self) -> list[bytes]:
        """The next chunks, empty at the end or when there is a problem."""
        try:
            batch = [self._file.read(CHUNK_BYTES) for _ in range(BATCH_CHUNKS)]
        except OSError as error:
            self.problem = f"the file cannot be read: {error.strerror}"
            return []
        self._notice_change()
        return [] if self.problem else [chunk for chunk in batch if chunk]

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _notice_change(self) -> None:
        if fingerprint(self._file) != self._offer.fingerprint:
            self.problem = "the file has changed since it was offered"
