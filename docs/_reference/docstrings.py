"""Docstrings as Markdown: prose with links, literal blocks, and what each attribute is."""

from __future__ import annotations

import re
from inspect import cleandoc
from typing import TYPE_CHECKING, Final

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADING: Final = re.compile(r"(Attributes|Args|Raises|Returns):")
ITEM: Final = re.compile(r"    (\w+): (.*)")
LITERAL: Final = re.compile(r"::\n\n((?:(?:    .*)?\n)*    .*)")
CODE: Final = re.compile(r"(`+)([^`]+)\1")


@frozen
class Docstring:
    """A docstring in its parts."""

    prose: str
    items: Mapping[str, str]


def parse(text: str | None) -> Docstring:
    """Take "Attributes:" and the like apart from the prose before it."""
    prose: list[str] = []
    items: dict[str, str] = {}
    place, last = prose, ""
    for line in cleandoc(text or "").splitlines():
        if HEADING.fullmatch(line):
            place = []
        elif place is prose:
            prose.append(line)
        elif item := ITEM.fullmatch(line):
            last = item[1]
            items[last] = item[2]
        elif line.strip():
            items[last] += f" {line.strip()}"
    return Docstring("\n".join(prose).strip(), items)


def markdown(text: str, links: Mapping[str, str]) -> str:
    """The prose of a docstring; a name between backticks leads to where it is documented."""
    parts = LITERAL.split(text)
    return "".join(
        _block(part) if index % 2 else _linked(part, links) for index, part in enumerate(parts)
    )


def _block(code: str) -> str:
    lines = (line.removeprefix("    ") for line in code.splitlines())
    return ":\n\n```text\n" + "\n".join(lines) + "\n```\n"


def _linked(text: str, links: Mapping[str, str]) -> str:
    return CODE.sub(lambda code: _link(code, links), text)


def _link(code: re.Match[str], links: Mapping[str, str]) -> str:
    name = code[2]
    target = links.get(name) or links.get(name.split(".")[0])
    shown = f"`{name}`"
    return f"[{shown}](#{target})" if target and code[1] == "`" else shown
