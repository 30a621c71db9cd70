"""Write results into the documentation: ``python -m benchmarks.document FILE < RESULTS``.

What stands between the two marks of the file is made anew; all else in it is for people to write.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .targets import TARGETS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

BEGIN: Final = "<!-- figures: made by benchmarks.document, from here -->"
END: Final = "<!-- figures: to here -->"

Result = dict[str, Any]
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
    yield _row(result["name"], result, result["unit"])
    for name, also in result.get("also", {}).items():
        yield _row(f"{result['name']}: {name}", also, "")


def _row(name: str, figures: Result, unit: str) -> str:
    ratios: Mapping[str, float] = figures.get("ratio", {})
    targets = TARGETS.get(name, {"limit": 1.0} if "limit" in ratios else {})
    verdicts = [
        "reached" if ratios[key] >= target else "**missed**"
        for key, target in targets.items()
        if key in ratios
    ]
    cells = [
        f"`{name}`",
        unit,
        f"{figures['ours']:g}",
        _pairs(figures["peers"]),
        _pairs(ratios),
        _pairs(targets),
        ", ".join(verdicts),
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
