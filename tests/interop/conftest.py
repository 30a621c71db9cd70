"""Prints the matrix when a session has run interop tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

import pytest

from .matrix import Row, table
from .not_offered import rows_not_offered

if TYPE_CHECKING:
    from collections.abc import Generator

_PROPERTY: Final = "interop"
_VERSION: Final = "interop-version"
_RESULTS: Final = {"passed": "pass", "skipped": "skipped", "failed": "FAIL"}


class _NoParams:
    params: ClassVar[dict[str, Any]] = {}


class Matrix:
    """Gathers what came of each case, from all workers."""

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._versions: dict[str, object] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        properties = dict(report.user_properties)
        case = properties.get(_PROPERTY)
        if isinstance(case, list) and (report.when == "call" or not report.passed):
            scenario, peer, direction = case
            result = _RESULTS[report.outcome]
            self._rows.append(Row(scenario, peer, direction, result, _reason_of(report)))
            if _VERSION in properties:
                self._versions[peer] = properties[_VERSION]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self._rows:
            return
        terminalreporter.section("interop: scenario x peer x who dials and opens")
        for line in table([*self._rows, *rows_not_offered()]):
            terminalreporter.write_line(line)
        for peer, version in self._versions.items():
            terminalreporter.write_line(f"{peer} is {version}")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Matrix(), "interop-matrix")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    case = getattr(item, "callspec", _NoParams).params.get("case")
    if case is not None:
        report.user_properties.append((_PROPERTY, [case.scenario.name, case.peer, case.direction]))
    return report


def _reason_of(report: pytest.TestReport) -> str:
    if report.skipped:
        return str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else ""
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message).splitlines()[0] if crash is not None else ""
