"""A Sphinx extension: reference pages made of the code's own docstrings.

A line ``<!-- reference: commands -->`` in a page stands for an entry on every command; the other
words are the keys of `PAGES`. Nothing of it is kept in a file, so nothing can be out of date.

Links to files of the project outside of ``docs/`` become downloads, so that the site is whole
wherever it stands.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from posixpath import normpath
from typing import TYPE_CHECKING, Final

from docs._reference.pages import PAGES

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

MARK: Final = re.compile(r"^<!-- reference: ([\w-]+) -->$", re.MULTILINE)
LINK: Final = re.compile(r"\[([^\]]+)\]\((\.\./[^)#]+)\)")


def expand(text: str) -> str:
    """The page with every mark replaced by what it stands for."""
    return MARK.sub(lambda mark: PAGES[mark[1]](), text)


def with_downloads(text: str, docname: str) -> str:
    """The page with links that lead out of the site made downloads."""
    folder = PurePosixPath(docname).parent

    def link(found: re.Match[str]) -> str:
        if not normpath(folder / found[2]).startswith("../"):
            return found[0]
        return f"{{download}}`{found[1].replace('`', '')} <{found[2]}>`"

    return LINK.sub(link, text)


def _on_source_read(_app: Sphinx, docname: str, source: list[str]) -> None:
    source[0] = expand(with_downloads(source[0], docname))


def setup(app: Sphinx) -> ExtensionMetadata:
    """What Sphinx calls."""
    app.connect("source-read", _on_source_read)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
