"""``python -m tests.docs.rewrite [PAGE ...]``: writes what the blocks of the pages print into them.

What differs only in peer ids, ports and times stays as it is.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.docs.pages import Page, pages
from tests.docs.playing import play


def rewritten(page: Page, folder: Path) -> str:
    """The page with fresh outputs."""
    text = page.text
    outputs = {one.start: one for one in play(page, folder, is_rewritten=True)}
    for one in sorted(outputs.values(), key=lambda output: output.start, reverse=True):
        if not one.is_fresh:
            text = text[: one.start] + one.printed + text[one.end :]
    return text


def main(names: list[str]) -> None:
    """Rewrite these pages, or all."""
    for page in pages():
        if names and page.name not in names:
            continue
        with TemporaryDirectory() as folder:
            text = rewritten(page, Path(folder))
        if text != page.text:
            page.path.write_text(text, encoding="utf-8")
            print(f"wrote {page.name}")


if __name__ == "__main__":
    main(sys.argv[1:])
