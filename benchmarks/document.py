"""Write results into the documentation: ``python -m benchmarks.document FILE < RESULTS``.

What stands between the two marks of the file is made anew, but for the rows of benchmarks that are
not among the results: these stay. All else in the file is for people to write.
"""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .registry import BENCHMARKS
from .verdicts import verdicts_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from .verdicts import Verdict

BEGIN: Final = "<!-- figures: made by benchmarks.document, from here -->"
END: Final = "<!-- figures: to here -->"

Result = dict[str, Any]
_WORDS: Final = {
    "reached": "reached",
    "missed": "**missed**",
    "not measured": "**not measured**",
}
_HEAD: Final = (
    "| benchmark | unit | ours | others | times better | must be | |\n|---|---|---|---|---|---|---|"
)


def rewritten(document: str, results: Iterable[Result], day: str) -> str:
    """The document with these results in the place of the old ones of the same benchmarks.

    Raises `ValueError` if it has not the two marks.
    """
    before, begin, rest = document.partition(BEGIN)
    old, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the document needs a line {BEGIN!r} and, below it, a line {END!r}")
    return f"{before}{BEGIN}\n{section(list(results), day, old)}\n{END}{after}"


def section(results: list[Result], day: str, old: str = "") -> str:
    """The tables of results, and what they were measured with; rows of `old` fill the gaps."""
    rows = {result["name"]: list(rows_of(result)) for result in results}
    kept = {name: lines for name, lines in _old_rows(old).items() if name not in rows}
    ordered = [row for name in BENCHMARKS for row in (rows | kept).get(name, ())]
    versions = _old_versions(old) if kept else {}
    for result in results:
        versions.update(result["versions"])
    when = f"Measured on {day}, on {versions.pop('machine')}"
    earlier = ", ".join(f"`{name}`" for name in BENCHMARKS if name in kept)
    said = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    title = f"{when}; before that: {earlier}." if kept else f"{when}."
    return "\n".join([title, "", _HEAD, *ordered, "", f"With {said}."])


def rows_of(result: Result) -> Iterator[str]:
    """A row for the figure that counts, and one for each that was measured beside it."""
    name, verdicts = result["name"], list(verdicts_of(result))
    figures = {name: result} | {
        f"{name}: {what}": it for what, it in result.get("also", {}).items()
    }
    for title in dict.fromkeys([*figures, *(each.figure for each in verdicts)]):
        unit = result["unit"] if title == name else ""
        judged = [each for each in verdicts if each.figure == title]
        yield _row(title, figures.get(title, {}), unit, judged)


def _old_rows(old: str) -> dict[str, list[str]]:
    """The rows of a section, by benchmark."""
    rows: dict[str, list[str]] = {}
    for line in old.splitlines():
        if title := re.match(r"\| `([^`:]+)", line):
            rows.setdefault(title[1], []).append(line)
    return rows


def _old_versions(old: str) -> dict[str, str]:
    """What a section says that it was measured with."""
    said = re.search(r"^With (.*)\.$", old, re.MULTILINE)
    pairs = [each.partition(" ") for each in said[1].split(", ")] if said else []
    return {name: version for name, _, version in pairs}


def _row(name: str, figures: Result, unit: str, verdicts: list[Verdict]) -> str:
    ours = figures.get("ours")
    failed = [f"{who} failed" for who in figures.get("failed", {})]
    cells = [
        f"`{name}`",
        unit,
        "" if ours is None else f"{ours:g}",
        ", ".join(filter(None, [_pairs(figures.get("peers", {})), *failed])),
        _pairs(figures.get("ratio", {})),
        _pairs({each.against: each.target for each in verdicts}),
        ", ".join(_WORDS[each.word] for each in verdicts) or figures.get("error", ""),
    ]
    return f"| {' | '.join(cells)} |"


def _pairs(figures: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {figure:g}" for name, figure in figures.items())


def _main() -> None:
    path = Path(sys.argv[1])
    results = [json.loads(line) for line in sys.stdin if line.startswith("{")]
    day = datetime.now(UTC).date().isoformat()
    path.write_text(rewritten(path.read_text(encoding="utf-8"), results, day), encoding="utf-8")


if __name__ == "__main__":
    _main()
