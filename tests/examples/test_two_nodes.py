"""examples/two_nodes.py"""

from __future__ import annotations

from typing import TYPE_CHECKING

from examples.two_nodes import main

if TYPE_CHECKING:
    import pytest


async def test_ann_and_ben_meet_and_talk(capsys: pytest.CaptureFixture[str]) -> None:
    await main()

    printed = capsys.readouterr().out
    assert "ann: somebody has come in by /yamux/1.0.0" in printed
    assert "secured by /tls/1.0.0" in printed
    assert "ben: hears HELLO, ANN" in printed
    assert printed.splitlines()[-1].startswith("ann: it has left:")
