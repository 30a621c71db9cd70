"""The file that holds a node's private key.

It is the protobuf form of libp2p/specs, peer-ids, unencoded: rust-libp2p, go-libp2p and js-libp2p
read the same bytes. All of it blocks: a node calls it in a worker thread.
"""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ._errors import IdentityError
from ._libp2p import KeyPair
from ._libp2p._keys import MAX_PRIVATE_KEY_BYTES

if TYPE_CHECKING:
    from ._libp2p import KeyType


def load_or_create_identity(path: Path) -> KeyPair:
    """The key pair in that file, which is made first (Ed25519) if there is none."""
    if not path.exists():
        with suppress(FileExistsError):
            return _create(path, "ed25519")
    return load_identity(path)


def load_identity(path: Path) -> KeyPair:
    """The key pair in that file.

    Raises `IdentityError` if it is missing, readable by others, or no private key.
    """
    try:
        check_mode(path, path.stat())
        with path.open("rb") as file:
            blob = file.read(MAX_PRIVATE_KEY_BYTES + 1)
    except FileNotFoundError:
        raise IdentityError(f"no identity file {path}: `peerloom init` makes one") from None
    except OSError as error:
        raise IdentityError(f"cannot read the identity file {path}: {error}") from error
    try:
        return KeyPair.from_protobuf(blob)
    except IdentityError as error:
        raise IdentityError(
            f"the identity file {path} is damaged or of another kind ({error}): restore it from a "
            "backup to keep your peer id, or move it away to get a new one"
        ) from None


def create_identity(path: Path, key_type: KeyType = "ed25519") -> KeyPair:
    """A new key pair in a new file that only its owner may read.

    Raises `IdentityError` if something has that name already, or it cannot be written.
    """
    try:
        return _create(path, key_type)
    except FileExistsError:
        raise IdentityError(f"{path} exists already: move it away to get a new peer id") from None


def check_mode(path: Path, status: os.stat_result) -> None:
    """Raise `IdentityError` unless it is a file that only its owner may read."""
    if not stat.S_ISREG(status.st_mode):
        raise IdentityError(f"{path} is no regular file, so it is no identity file")
    if os.name == "posix" and status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        mode = stat.S_IMODE(status.st_mode)
        raise IdentityError(
            f"the identity file {path} is open to other users (mode {mode:04o}), who can take this "
            f"node's peer id: run `chmod 600 {path}`"
        )


def _create(path: Path, key_type: KeyType) -> KeyPair:
    key_pair = KeyPair.generate(key_type)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise IdentityError(f"cannot make the folder {path.parent}: {error}") from error
    try:
        _write_new(path, key_pair.to_protobuf())
    except FileExistsError:
        raise
    except OSError as error:
        raise IdentityError(f"cannot write the identity file {path}: {error}") from error
    return key_pair


def _write_new(path: Path, blob: bytes) -> None:
    """Make the file whole or not at all; raises FileExistsError rather than replace one."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(blob)
            file.flush()
            os.fsync(file.fileno())
        _publish(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _publish(temporary: Path, path: Path) -> None:
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        raise
    except OSError:  # no hard links here, as on Android and some network folders
        if path.exists():
            raise FileExistsError(path) from None
        temporary.rename(path)


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
