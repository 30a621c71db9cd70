"""Gathers the matrix of a session from all workers, prints it, and writes that of a whole run."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import pytest

from .document import document
from .matrix import FAIL, NOT_RUN, PASS, Cell, Matrix, table

if TYPE_CHECKING:
    from collections.abc import Generator

_PROPERTY: Final = "interop"
_VERSION: Final = "interop-version"
_VERDICTS: Final = {"passed": PASS, "skipped": NOT_RUN, "failed": FAIL}


class _NoParams:
    params: ClassVar[dict[str, Any]] = {}


class Gatherer:
    """Takes in what the workers report."""

    def __init__(self, written_to: str | None) -> None:
        self._written_to = Path(written_to) if written_to else None
        self._matrix = Matrix.of_all()
        self._versions: dict[str, str] = {}
        self._any = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" and report.passed:
            return
        cell = Cell(_VERDICTS[report.outcome], _reason_of(report), report.duration)
        for name, value in report.user_properties:
            if name == _PROPERTY and isinstance(value, (list, tuple)):
                scenario, peer, direction = value
                self._matrix.add((scenario, peer, direction), cell)
                self._any = True
            elif name == _VERSION and isinstance(value, (list, tuple)):
                peer, version = value
                self._versions[peer] = version

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self._any:
            return
        terminalreporter.section("interop: scenario x peer x who dials and opens")
        for line in table(self._matrix):
            terminalreporter.write_line(line)
        for peer, version in self._versions.items():
            terminalreporter.write_line(f"{peer} is {version}")
        if self._written_to is not None:
            terminalreporter.write_line(self._write(self._written_to))

    def _write(self, path: Path) -> str:
        if not self._matrix.is_complete():
            return f"{path} is left as it was: not every case has been run"
        today = datetime.now(UTC).date()
        path.write_text(document(self._matrix, self._versions, today), encoding="utf-8")
        return f"written to {path}"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--matrix", metavar="FILE", help="where the matrix of a whole run is written")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Gatherer(config.getoption("matrix")), "interop-matrix")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    params = getattr(item, "callspec", _NoParams).params
    for case in [params["case"]] if "case" in params else params.get("together", ()):
        report.user_properties.append((_PROPERTY, [case.scenario.name, case.peer, case.direction]))
    return report


def _reason_of(report: pytest.TestReport) -> str:
    if report.skipped:
        return str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else ""
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message).splitlines()[0] if crash is not None else ""
