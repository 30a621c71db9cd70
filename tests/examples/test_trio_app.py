"""examples/trio_app.py"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from examples.trio_app import main

if TYPE_CHECKING:
    import pytest


def test_the_first_answer_wins_and_the_others_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    trio.run(main)

    assert sorted(capsys.readouterr().out.splitlines()) == [
        "first answer: 42",
        "nobody waits for the slow one any more",
        "one breaks off: StreamReset",
    ]
