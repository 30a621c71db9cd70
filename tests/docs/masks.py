"""What differs from one run to the next, and says nothing: peer ids, ports, how long it took."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

ANYTHING: Final = "…"  # alone on a line: any lines, none included
KEPT: Final = re.compile(  # what later blocks of a page may refer to
    r"(?P<peer>12D3KooW[1-9A-HJ-NP-Za-km-z]{44})"
    r"|(?P<ticket>peerloom1[a-z0-9]{20,})"
    r"|(?<=/tcp/)(?P<tcp>[1-9]\d*)|(?<=/udp/)(?P<udp>[1-9]\d*)"
)
NUMBER: Final = re.compile(
    r"\b\d+(?:[.,]\d+)*(?= ?(?:s|ms|µs|seconds|MiB|MiB/s|KiB|GiB|bytes/s)\b)|\b\d+\.\d{2,}\b"
)
DATE: Final = re.compile(r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?)?\b")


def normal(text: str) -> str:
    """The text with all of that replaced by what kind of thing it was."""
    text = KEPT.sub(lambda found: f"<{found.lastgroup}>", text)
    return NUMBER.sub("<number>", DATE.sub("<date>", text)).strip()


def agree(shown: str, printed: str) -> bool:
    """Whether a page shows what was printed."""
    wanted = "\n".join(
        r"(?:.*\n)*?.*" if line.strip() == ANYTHING else re.escape(line)
        for line in normal(shown).splitlines()
    )
    return re.fullmatch(wanted, normal(printed)) is not None


def meanings(shown: str, printed: str) -> dict[str, str]:
    """What each peer id, port and ticket of a page stands for in this run, line by line."""
    found: dict[str, str] = {}
    lines = {normal(line): line for line in printed.splitlines()}
    for line in shown.splitlines():
        real = lines.get(normal(line), "")
        tokens = zip(KEPT.finditer(line), KEPT.finditer(real), strict=False)
        found.update({mine[0]: theirs[0] for mine, theirs in tokens})
    return found


def translated(text: str, meaning: Mapping[str, str]) -> str:
    """The text with each of them replaced by what it stands for."""
    return KEPT.sub(lambda found: meaning.get(found[0], found[0]), text)
