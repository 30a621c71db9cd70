"""Write results into the documentation: ``python -m benchmarks.document FILE < RESULTS``.

What stands between the two marks of the file is made anew; all else in it is for people to write.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

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
    """The document with these results in the place of the old ones.

    Raises `ValueError` if it has not the two marks.
    """
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the document needs a line {BEGIN!r} and, below it, a line {END!r}")
    return f"{before}{BEGIN}\n{section(list(results), day)}\n{END}{after}"


def section(results: list[Result], day: str) -> str:
    """The tables of results, and what they were measured with."""
    rows = [row for result in results for row in rows_of(result)]
    versions: dict[str, str] = {}
    for result in results:
        versions.update(result["versions"])
    machine = versions.pop("machine")
    said = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    return "\n".join([f"Measured on {day}, on {machine}.", "", _HEAD, *rows, "", f"With {said}."])


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
