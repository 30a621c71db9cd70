"""docs/interop.md: the matrix of a whole run, with versions and date."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from .matrix import FAIL, note_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from .matrix import Matrix

_TOP: Final = """\
# Whom it talks to

Made by `make interop`; edit `tests/interop` instead. Each row is a scenario of
[`tests/interop`](../tests/interop/README.md), played by a node of ours and a program around another
implementation: *we dial* has our node dial and open the streams, on asyncio; *they dial* has the
other do it, and our node on trio. A number leads to the reason below the table.
"""


def document(matrix: Matrix, versions: Mapping[str, str], day: date) -> str:
    """The whole file."""
    notes = {note: number for number, note in enumerate(matrix.reasons(matrix.scenarios), 1)}
    ours = f"peerloom {version('peerloom')} on Python {platform.python_version()}"
    lines = [
        _TOP,
        f"Of {day.isoformat()}, by {ours}, with {_names(versions)}.",
        "",
        _row(["scenario", *matrix.heads()]),
        _row(["---"] * (1 + len(matrix.columns))),
        *(_row([name, *_texts(matrix, name, notes)]) for name in matrix.scenarios),
        "",
        *(f"{number}. {note}" for note, number in notes.items()),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _names(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} (`{peer}`)" for peer, name in sorted(versions.items()))


def _texts(matrix: Matrix, scenario: str, notes: Mapping[str, int]) -> list[str]:
    texts = []
    for (peer, _), cell in zip(matrix.columns, matrix.row(scenario), strict=True):
        number = notes.get(note_of(peer, cell))
        text = f"**{cell.verdict}**" if cell.verdict == FAIL else cell.verdict
        texts.append(text if number is None else f"{text} ({number})")
    return texts


def _row(texts: Sequence[str]) -> str:
    return f"| {' | '.join(text.replace('|', chr(92) + '|') for text in texts)} |"
