"""The data folder: held by one node at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from peerloom._data_folder import hold_data_folder
from peerloom._errors import ConfigError, DataFolderInUse

if TYPE_CHECKING:
    from pathlib import Path


def test_data_folder_is_held_by_one_node_at_a_time(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with hold_data_folder(folder) as held:
        assert held == folder
        assert folder.stat().st_mode & 0o777 == 0o700
        with (
            pytest.raises(DataFolderInUse, match=f"in use by process {os.getpid()}"),
            hold_data_folder(folder),
        ):
            pass
    with hold_data_folder(folder):
        pass


def test_data_folder_is_held_against_another_process(tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
from peerloom._data_folder import hold_data_folder
with hold_data_folder(Path({str(tmp_path)!r})):
    print("held", flush=True)
    input()
"""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with (
            pytest.raises(DataFolderInUse, match=f"in use by process {process.pid}"),
            hold_data_folder(tmp_path),
        ):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        with hold_data_folder(tmp_path):
            pass


def test_data_folder_that_cannot_be_made_is_a_config_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with (
        pytest.raises(ConfigError, match=r"data_folder: .*file/below cannot be used"),
        hold_data_folder(tmp_path / "file" / "below"),
    ):
        pass
