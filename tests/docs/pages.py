"""The documents that people read, and the code blocks in them.

A comment before a block says how it is run, where that does not go without saying:

``<!-- block: file counter.py -->``: what a later block of the page runs or imports, as a file.
    Blocks of one name are its parts.
``<!-- block: in node -->``: part of a program. `node` runs, connected to `peer`, which listens
    at `address`.
``<!-- block: in node, beside the next -->``: the same, and the next one runs meanwhile, in the
    node at the other end.
``<!-- block: runs on -->``: the last command of the block runs until the page ends.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.packaging.tree import ROOT, project_texts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FENCE: Final = re.compile(
    r"(?:^<!-- block: (?P<how>[^>]+) -->\n)?^```(?P<language>[^\n]*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
LANGUAGES: Final = frozenset({"python", "console", "text", "toml", "sh", "yaml"})
NO_CODE: Final = frozenset({"{toctree}", "{include}"})


@dataclass(frozen=True)
class Block:
    """A code block.

    `how` is what the comment before it says, `start` and `end` enclose its text in the page.
    """

    language: str
    text: str
    how: tuple[str, ...]
    line: int
    start: int
    end: int

    @property
    def file(self) -> str | None:
        """The name of the file that it is, if it is one."""
        return next((word.removeprefix("file ") for word in self.how if word[:5] == "file "), None)


@dataclass(frozen=True)
class Page:
    """A document."""

    path: Path
    text: str

    @property
    def name(self) -> str:
        """Where it stands in the project."""
        return str(self.path.relative_to(ROOT))

    def blocks(self) -> Iterator[Block]:
        """Its code blocks, in order."""
        for found in FENCE.finditer(self.text):
            if found["language"].split(" ")[0] in NO_CODE:
                continue
            how = tuple(word.strip() for word in (found["how"] or "").split(",") if word)
            start, end = found.span("text")
            line = self.text.count("\n", 0, start)
            yield Block(found["language"], found["text"], how, line, start, end)


def pages() -> list[Page]:
    """All of the project."""
    return [Page(ROOT / name, text) for name, text in project_texts() if name.endswith(".md")]
