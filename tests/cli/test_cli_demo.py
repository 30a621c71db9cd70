"""`peerloom demo` works, and does not say so when it does not."""

from __future__ import annotations

import resource
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.cli.commands import peerloom

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.timeout(120)
@pytest.mark.parametrize("backend", [(), ("--trio",)], ids=["asyncio", "trio"])
def test_demo_works(tmp_path: Path, backend: tuple[str, ...]) -> None:
    done = peerloom(tmp_path, "demo", "--size", "8", *backend)
    assert done.returncode == 0, done.stdout + done.stderr
    for what in (
        "connect by tls (/tls/1.0.0)",
        "connect by noise (/noise)",
        "1000 messages there and back by tls",
        "1000 messages there and back by noise",
        "send and receive 8.00 MiB",
        "the file that arrived is the same",
        "all of it worked; it took",
    ):
        assert what in done.stdout
    assert "FAILED" not in done.stdout


@pytest.mark.timeout(120)
def test_demo_that_fails_says_what_failed_and_exits_with_one(tmp_path: Path) -> None:
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
    done = peerloom(tmp_path, "demo", "--size", "8", preexec_fn=limit)
    assert done.returncode == 1
    assert "FAILED" in done.stdout
    assert "File too large" in done.stdout
    assert "NOT all of it worked" in done.stdout
    assert "Traceback" not in done.stderr
