"""The reference is whole: everything public has its entry, and links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from docs._reference import MARK, with_downloads
from docs._reference.docstrings import markdown, parse
from docs._reference.names import (
    Entry,
    default_of,
    entries,
    hook_names,
    kind_of,
    sections,
    settings_of,
)
from docs._reference.pages import PAGES, own_doc
from peerloom import NetworkConfig, load_config
from tests.packaging.tree import ROOT

if TYPE_CHECKING:
    from pathlib import Path

DOCS = ROOT / "docs"
SETTINGS = [
    ("__".join([*path.upper().split(".")]), one)
    for prefix, config_class in [
        ("", NetworkConfig),
        *((f"{section.name}.", section.config_class) for _, section in sections()),
    ]
    for path, _, one in settings_of(config_class, prefix)
]


@cache
def _page(kind: str) -> str:
    return PAGES[kind]()


def test_every_page_of_the_reference_is_in_the_site_once() -> None:
    texts = [path.read_text(encoding="utf-8") for path in DOCS.rglob("*.md")]
    marks = [mark for text in texts for mark in MARK.findall(text)]

    assert sorted(marks) == sorted(PAGES)


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: f"{entry.packages[0]}.{entry.name}")
def test_everything_public_has_an_entry_and_says_what_it_is(entry: Entry) -> None:
    page = _page(kind_of(entry))

    assert page.count(f"\n({entry.target})=\n") + page.startswith(f"({entry.target})=\n") == 1
    assert own_doc(entry), f"write a docstring, below it if it is a constant: {entry.name}"


def test_what_a_private_base_gives_is_told_of_the_public_class() -> None:
    counter = _page("names").split("## `Counter`\n")[1].split("\n## ")[0]

    assert "`value(**labels: object) -> float`" in counter


def test_the_tree_of_errors_names_each_with_its_base() -> None:
    tree = re.findall(r"^([ │├└─]+)(\w+)(?:  |$)", _page("errors"), re.MULTILINE)
    stack: list[str] = ["PeerloomError"]
    bases = {}
    for branch, name in tree:
        depth = len(branch) // 4
        bases[name] = stack[depth - 1]
        stack[depth:] = [name]
    errors = {entry.name: entry.thing for entry in entries() if kind_of(entry) == "errors"}
    defined = {name for name, one in errors.items() if one.__module__ == "peerloom._errors"}

    children = defined - {"PeerloomError"}
    assert bases == {name: errors[name].__bases__[0].__name__ for name in children}


def test_a_default_that_attrs_makes_is_left_open() -> None:
    assert not [kind for kind in PAGES if "NOTHING" in _page(kind)]


@pytest.mark.parametrize("hook", hook_names())
def test_every_hook_has_an_entry(hook: str) -> None:
    heading, text = _page("hooks").split(f"## `{hook}`\n")

    assert heading
    assert re.search(r"```\n\n\w+", text)


@pytest.mark.parametrize(("variable", "setting"), SETTINGS, ids=[name for name, _ in SETTINGS])
def test_every_setting_has_a_row_whose_variable_is_read(variable: str, setting: Any) -> None:
    [row] = re.findall(
        rf"^\| .* \| `PEERLOOM_{variable}` \| (.+) \|$", _page("settings"), re.MULTILINE
    )
    read = load_config(
        None,
        {f"PEERLOOM_{variable}": _text(default_of(setting))},
        {},
        [one for _, one in sections()],
    )

    assert row
    assert isinstance(read, NetworkConfig)


def _text(value: Any) -> str:
    """As one writes it into a variable."""
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ",".join(map(_text, value))
    return str(value.value if isinstance(value, Enum) else value).lower()


def test_a_docstring_becomes_markdown_with_links() -> None:
    document = parse(
        """Does it; see `Dial`.

        Like this::

            dial(`a`)

        Attributes:
            peer: who,
                in full.
        """
    )
    text = markdown(document.prose, {"Dial": "peerloom-dial"})

    assert text.startswith("Does it; see [`Dial`](#peerloom-dial).")
    assert "Like this:\n\n```text\n\ndial(`a`)\n```" in text.replace("text\n", "text\n\n")
    assert document.items == {"peer": "who, in full."}


def test_a_link_out_of_the_site_becomes_a_download() -> None:
    text = "[`README`](../core/README.md) and [here](../quickstart.md)"

    assert with_downloads(text, "design") == (
        "{download}`README <../core/README.md>` and {download}`here <../quickstart.md>`"
    )
    assert with_downloads(text, "guides/chat").endswith("[here](../quickstart.md)")


@pytest.mark.parametrize(
    ("text", "is_fine"),
    [
        ("[there](#there)\n\n## There\n", True),
        ("[nowhere](nowhere.md)\n", False),
        ("[nothing](#nothing)\n", False),
        ("[lost](../../lost.md)\n", False),
    ],
)
def test_a_broken_link_fails_the_site(tmp_path: Path, text: str, *, is_fine: bool) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "index.md").write_text(f"# Page\n\n{text}")
    options = ("--fail-on-warning", "--nitpicky", "--conf-dir", str(DOCS), "--builder", "dummy")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, str(source), str(tmp_path / "built")],
        check=False,
        capture_output=True,
        text=True,
    )

    assert (done.returncode == 0) is is_fine, done.stderr
