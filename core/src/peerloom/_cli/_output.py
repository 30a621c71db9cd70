"""What commands print: results to standard output, all that is said about them to the other."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")


def say(text: str = "") -> None:
    """Print a result."""
    typer.echo(text)


def say_json(value: object) -> None:
    """Print a result for programs, in one line."""
    say(json.dumps(value, default=sorted))  # sets


def say_table(*rows: Sequence[str]) -> None:
    """Print rows in columns, of which the last has no width."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    for *cells, last in rows:
        padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
        say("  ".join([*padded, last]).rstrip())


def tell(text: str) -> None:
    """Print something about the result, or instead of it."""
    typer.echo(text, err=True)


def one_line(error: BaseException) -> str:
    """An error's text in one line, however many it has."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return "; ".join(lines) or type(error).__name__


def human_bytes(count: float) -> str:
    """Bytes with three digits and the unit that suits: ``1.50 MiB``."""
    for unit in _UNITS:
        if abs(count) < 1000 or unit == _UNITS[-1]:
            break
        count /= 1024
    digits = 0 if unit == "B" else 2 if abs(count) < 10 else 1
    return f"{count:.{digits}f} {unit}"


def human_rate(count: float, seconds: float) -> str:
    """Bytes a second, for people."""
    return f"{human_bytes(count / seconds)}/s" if seconds > 0 else "-"


def milliseconds(seconds: float) -> str:
    """Seconds as milliseconds: ``0.42 ms``."""
    return f"{seconds * 1000:.2f} ms"
