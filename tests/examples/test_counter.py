"""examples/counter, as its author runs its tests: installed, in its own folder."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.packaging.tree import ROOT
from tests.plugin_project import unpack, wheel_of

if TYPE_CHECKING:
    from pathlib import Path

PROJECT = ROOT / "examples" / "counter"


def test_its_own_tests_pass(tmp_path: Path) -> None:
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
    for backend in ("asyncio", "trio"):
        assert f"test_a_peer_counts_and_tells[{backend}] PASSED" in done.stdout
        assert f"test_survives_what_peers_send[{backend}] PASSED" in done.stdout
    assert "test_everybody_sees_the_right_value_after_a_partition PASSED" in done.stdout
    assert "skipped" not in done.stdout
