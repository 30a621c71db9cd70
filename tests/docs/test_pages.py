"""Every code block that people read runs, and what is shown is what it prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.docs.masks import agree, meanings, translated
from tests.docs.pages import LANGUAGES, Page, pages
from tests.docs.playing import play
from tests.docs.rewrite import rewritten

if TYPE_CHECKING:
    from pathlib import Path

PAGES = pages()
ANN = "12D3KooWLgsfN5nGwFrQSS8jKrUoeNL6xUh2eFCCSHXwXfDBjSZL"
BEN = "12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5"


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(page.blocks())], ids=lambda page: page.name
)
def test_every_block_of_a_page_runs_and_prints_what_is_shown(page: Page, tmp_path: Path) -> None:
    stale = [output for output in play(page, tmp_path) if not output.is_fresh]

    assert not stale, "\n\n".join(
        f"{page.name}:{one.line} shows\n{one.shown}\nbut this was printed\n{one.printed}"
        for one in stale
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_says_what_it_is(page: Page) -> None:
    wrong = [f"{page.name}:{one.line}" for one in page.blocks() if one.language not in LANGUAGES]

    assert not wrong


def _page(folder: Path, text: str) -> Page:
    path = folder / "page.md"
    path.write_text(text)
    return Page(path, text)


def test_what_a_program_prints_is_written_into_its_page(tmp_path: Path) -> None:
    page = _page(tmp_path, "```python\nprint(6 * 7)\n```\n\n```text\n41\n```\n")

    assert rewritten(page, tmp_path) == page.text.replace("41", "42")


def test_what_commands_print_is_written_into_their_page(tmp_path: Path) -> None:
    page = _page(tmp_path, "```console\n$ echo one\n$ echo two\nthree\n```\n")

    assert rewritten(page, tmp_path) == "```console\n$ echo one\none\n$ echo two\ntwo\n```\n"


def test_a_block_that_fails_fails_its_page(tmp_path: Path) -> None:
    page = _page(tmp_path, "```python\nraise LookupError\n```\n")

    with pytest.raises(LookupError):
        list(play(page, tmp_path))


def test_a_peer_id_of_a_page_stands_for_that_of_the_run() -> None:
    meaning = meanings(f"peer id {ANN}", f"hello\npeer id {BEN}")

    assert translated(f"/ip4/127.0.0.1/tcp/1/p2p/{ANN}", meaning).endswith(BEN)


@pytest.mark.parametrize(
    ("shown", "printed", "expected"),
    [
        (f"peer id {ANN}\n", f"peer id {BEN}\n", True),
        ("in 0.31 s", "in 12.5 s", True),
        ("first\n…\nlast", "first\nsecond\nthird\nlast", True),
        ("1 peer", "2 peers", False),
        ("first\nlast", "first\nsecond\nlast", False),
    ],
)
def test_what_says_nothing_may_differ(shown: str, printed: str, *, expected: bool) -> None:
    assert agree(shown, printed) is expected
