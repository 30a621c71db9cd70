"""Runs pytest in a process of its own, on test modules that must partly fail."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from attrs import frozen

if TYPE_CHECKING:
    from pathlib import Path


@frozen
class Outcome:
    """What became of a test.

    Attributes:
        failures: what the test itself failed with, and what its fixtures did, as pytest tells it.
    """

    failures: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.failures


def run_pytest(folder: Path, source: str, *options: str) -> dict[str, Outcome]:
    """Each test of a module, as ``Class::name[parameters]``, and its outcome."""
    (folder / "test_inner.py").write_text(source, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    report = folder / "report.xml"
    command = [sys.executable, "-m", "pytest", "--junitxml", str(report), "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "-p", "no:xdist", *options, "test_inner.py"],
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
    )
    assert report.exists(), done.stdout + done.stderr
    cases = ET.parse(report).iter("testcase")
    return {_name(case): Outcome(_failures(case)) for case in cases}


def _name(case: ET.Element) -> str:
    *_, last = case.attrib["classname"].split(".")
    name = case.attrib["name"]
    return name if last == "test_inner" else f"{last}::{name}"


def _failures(case: ET.Element) -> tuple[str, ...]:
    found = [one for kind in ("failure", "error", "skipped") for one in case.findall(kind)]
    return tuple(f"{one.attrib.get('message', '')}\n{one.text}" for one in found)
