"""The data folder: whether a node can keep something there, and nobody else can take it."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from peerloom._data_folder import holder_of
from peerloom._errors import IdentityError
from peerloom._identity import check_mode, load_identity
from peerloom._node import IDENTITY_NAME

from ._check import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from peerloom._libp2p import KeyPair

_SUBJECT: Final = "data folder"


def check_data_folder(folder: Path, identity: KeyPair | Path | None = None) -> Iterator[Check]:
    """The folder's permissions, its lock, and the file of the identity."""
    path = identity if isinstance(identity, Path) else folder / IDENTITY_NAME
    try:
        yield _check_folder(folder)
        if path.exists():
            yield _check_identity(path)
    except OSError as error:
        found = f"{folder} cannot be looked at: {error.strerror}"
        yield Check.failed(_SUBJECT, found, "chown what is above it, or name another with --data")


def _check_folder(folder: Path) -> Check:
    if not folder.exists():
        return _check_absent(folder)
    if not folder.is_dir():
        return Check.failed(_SUBJECT, f"{folder} is no folder", "name another one with --data")
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return Check.failed(
            _SUBJECT, f"{folder} cannot be read and written", f"chown it, or chmod u+rwx {folder}"
        )
    if folder.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return Check.warning(
            _SUBJECT, f"{folder} can be changed by other users", f"chmod go-w {folder}"
        )
    if holder := holder_of(folder):
        return Check.warning(
            _SUBJECT,
            f"{folder} is in use by {holder}",
            "stop that node before another one starts here, or give that one a --data of its own",
        )
    return Check.ok(_SUBJECT, f"{folder}, which no node uses now")


def _check_absent(folder: Path) -> Check:
    above = next(parent for parent in folder.absolute().parents if parent.exists())
    if above.is_dir() and os.access(above, os.W_OK | os.X_OK):
        return Check.ok(_SUBJECT, f"{folder}, which the first node makes")
    return Check.failed(
        _SUBJECT, f"{folder} cannot be made: {above} cannot be written", "name another with --data"
    )


def _check_identity(path: Path) -> Check:
    try:
        check_mode(path, path.stat())
    except IdentityError as error:
        return Check.failed("identity", str(error), f"chmod 600 {path}")
    try:
        load_identity(path)
    except IdentityError as error:
        return Check.failed("identity", str(error), f"mend it, or name another than {path}")
    return Check.ok("identity", f"{path}, which only its owner can read")
