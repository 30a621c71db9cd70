"""The README names every cause that is counted."""

from __future__ import annotations

import re

import pytest

from tests.packaging.tree import ROOT

PLUGIN = ROOT / "plugins" / "gossipsub"
COUNTED = re.compile(r"""(?:counts|losses|_lost)\[f?"([^"]+)"\]""")
SKIPPED = re.compile(r"""_skipped\["([^"]+)"\]""")
README = (PLUGIN / "README.md").read_text(encoding="utf-8")
SOURCES = [path.read_text(encoding="utf-8") for path in sorted(PLUGIN.rglob("src/*/*.py"))]
CAUSES = sorted(
    {cause for text in SOURCES for cause in COUNTED.findall(text)}
    | {f"{cause} left out" for text in SOURCES for cause in SKIPPED.findall(text)}
)


def test_there_are_causes():
    assert len(CAUSES) > 30


@pytest.mark.parametrize("cause", CAUSES)
def test_a_cause_is_named(cause):
    spelt = re.sub(r"\\{[^}]*\\}", "[^`]+", re.escape(cause))
    assert re.search(f"`{spelt}`", README), cause
