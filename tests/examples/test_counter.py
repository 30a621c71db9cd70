"""examples/counter, as its author runs its tests: installed, in its own folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.packaging.tree import ROOT
from tests.plugin_project import unpack, wheel_of

if TYPE_CHECKING:
    from pathlib import Path

PROJECT = ROOT / "examples" / "counter"


def test_its_own_tests_pass(tmp_path: Path) -> None:
    """All but those that every plugin passes: of those one shows that it is found."""
    installed = unpack(wheel_of(PROJECT, tmp_path), tmp_path / "site")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider"],
        cwd=PROJECT,
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, **installed, "PYTHONDONTWRITEBYTECODE": "1"},
    )

    assert done.returncode == 0, done.stdout + done.stderr
    passed = set(re.findall(r"::(\w+)(?:\[\w+\])? PASSED", done.stdout))
    assert len(passed) > 15, done.stdout
