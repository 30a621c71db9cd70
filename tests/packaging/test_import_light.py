"""What only lists, helps or configures must not pay for py-libp2p."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

PEERLOOM = str(Path(sys.executable).with_name("peerloom"))
ENTRY_POINTS = sorted(point.module for point in entry_points(group="peerloom.plugins"))
IMPORTED = re.compile(r"^import time:.*\| +([\w.]+)\n", re.MULTILINE)


@pytest.mark.parametrize(
    "command",
    [
        *(
            pytest.param([sys.executable, "-c", f"import {module}"], id=module)
            for module in (
                "peerloom",
                "peerloom.blocking",
                "peerloom.cli",
                "peerloom.plugin",
                "peerloom._libp2p",
                *ENTRY_POINTS,
            )
        ),
        pytest.param([PEERLOOM, "--help"], id="--help"),
        *(pytest.param([PEERLOOM, word], id=word) for word in ("plugins", "hooks", "doctor")),
    ],
)
def test_libp2p_is_not_imported_by(command: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        command,
        check=False,
        env={**os.environ, "PYTHONPROFILEIMPORTTIME": "1", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    imported = set(IMPORTED.findall(done.stderr))

    assert done.returncode == 0, IMPORTED.sub("", done.stderr).strip()
    assert "peerloom" in imported
    assert "libp2p" not in imported
