"""Names for received files: whatever a sender calls its file, it lands inside the folder."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_NAME_BYTES: Final = 200  # leaves room for a number, and for what a part's name adds, in 255
MAX_NUMBER: Final = 999  # names tried beside existing files before the user is asked to tidy up

_MAX_SUFFIX_BYTES: Final = 20
_HASH_PREFIX_DIGITS: Final = 16
_FORBIDDEN: Final = re.compile(r'[<>:"|?*]')  # no file name on Windows and on most USB sticks
_RESERVED: Final = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])\s*(\.|$)", re.IGNORECASE)
_FALLBACK: Final = "file"


def safe_name(name: str) -> str:
    """A plain file name out of whatever a sender says: no path, nothing hidden, nothing reserved.

    The last part of a path remains; control characters, surrogates and invisible directional
    marks go; a leading dot becomes an underscore, so nobody plants a ``.profile``.
    """
    plain = re.split(r"[/\\]", name)[-1]
    visible = "".join(character for character in plain if not _is_hidden(character))
    trimmed = _trailing_dots_cut(_FORBIDDEN.sub("_", visible)).lstrip()
    if trimmed.startswith("."):
        trimmed = "_" + trimmed[1:]
    if _RESERVED.match(trimmed):
        trimmed = "_" + trimmed
    return _shortened(trimmed) or _FALLBACK


def part_name(name: str, content_hash: bytes) -> str:
    """What a file is called while it is incomplete; a safe name never begins with a dot."""
    return f".{safe_name(name)}.{content_hash.hex()[:_HASH_PREFIX_DIGITS]}.part"


def candidate_names(name: str) -> Iterator[str]:
    """The safe name, then numbered ones, for a folder where some exist already."""
    plain = PurePosixPath(safe_name(name))
    yield plain.name
    for number in range(1, MAX_NUMBER + 1):
        yield f"{plain.stem} ({number}){plain.suffix}"


def _trailing_dots_cut(name: str) -> str:
    return re.sub(r"[\s.]+$", "", name)


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def _shortened(name: str) -> str:
    if len(name.encode()) <= MAX_NAME_BYTES:
        return name
    suffix = PurePosixPath(name).suffix
    if len(suffix.encode()) > _MAX_SUFFIX_BYTES:
        suffix = ""
    stem = name.encode()[: MAX_NAME_BYTES - len(suffix.encode())].decode(errors="ignore")
    return _trailing_dots_cut(stem) + suffix
