"""Our entry for libp2p/unified-testing, as that suite runs it: two processes and a Redis server."""

from __future__ import annotations

import os
import re
import shutil
import sys
from subprocess import DEVNULL, Popen
from typing import TYPE_CHECKING, Any, Final

import anyio
import pytest

from tests.cli.commands import free_port

from .build import ROOT
from .unified.meeting import meeting
from .unified.report import latency_report, percentile, perf_report
from .unified.settings import Measured, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMBINATIONS: Final = [
    {"TRANSPORT": "tcp", "SECURE_CHANNEL": "tls", "MUXER": "yamux"},
    {"TRANSPORT": "tcp", "SECURE_CHANNEL": "noise", "MUXER": "yamux"},
    {"TRANSPORT": "quic-v1"},
]
PERF: Final = {
    "UPLOAD_BYTES": "1048576",
    "DOWNLOAD_BYTES": "1048576",
    "UPLOAD_ITERATIONS": "4",
    "DOWNLOAD_ITERATIONS": "3",
    "LATENCY_ITERATIONS": "5",
    "DURATION": "20",
}
STATISTICS: Final = ("min", "q1", "median", "q3", "max")
SECONDS: Final = 40
COMMAND: Final = (sys.executable, "-m", "tests.interop.unified")


@pytest.fixture
def anyio_backend() -> str:
    """The programs are processes of their own; the test only waits for them."""
    return "asyncio"


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """A Redis server on a free port of the loopback interface."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("there is no redis-server here: apt-get install redis-server")
    port = free_port()
    folder: Path = tmp_path_factory.mktemp("redis")
    options = ("--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(folder))
    with Popen([program, *options], stdout=DEVNULL, stderr=DEVNULL) as server:
        yield "127.0.0.1", port
        server.terminate()


@pytest.fixture
async def point(redis: tuple[str, int]) -> tuple[str, int]:
    """The same, once it answers."""
    with anyio.fail_after(SECONDS):
        while True:
            try:
                async with meeting(*redis) as connection:
                    await connection.get("is it there?")
            except OSError:
                await anyio.sleep(0.02)
            else:
                return redis


@pytest.mark.parametrize("combination", COMBINATIONS, ids=lambda each: "-".join(each.values()))
async def test_transport_test_reports_the_latencies(
    point: tuple[str, int], combination: dict[str, str]
) -> None:
    said = await play(point, combination, {})
    report = parse(said)
    assert list(report) == ["latency"]
    latency = report["latency"]
    assert list(latency) == ["handshake_plus_one_rtt", "ping_rtt", "unit"]
    assert latency["unit"] == "ms"
    assert latency["handshake_plus_one_rtt"] > latency["ping_rtt"] > 0


@pytest.mark.parametrize("combination", COMBINATIONS, ids=lambda each: "-".join(each.values()))
async def test_perf_test_reports_upload_download_and_latency(
    point: tuple[str, int], combination: dict[str, str]
) -> None:
    report = parse(await play(point, combination, PERF))
    assert list(report) == ["upload", "download", "latency"]
    for name, unit in (("upload", "Gbps"), ("download", "Gbps"), ("latency", "ms")):
        section = report[name]
        fields = ["iterations", *STATISTICS, "outliers", "samples", "unit"]
        assert list(section) == fields
        assert section["unit"] == unit
        iterations = int(PERF[f"{name.upper()}_ITERATIONS"])
        assert section["iterations"] == len(section["samples"]) == iterations
        assert section["samples"] == sorted(section["samples"])
        assert section["samples"][-1] > 0
        assert section["q1"] <= section["median"] <= section["q3"]
        assert {section["min"], section["max"]} <= set(section["samples"])


async def test_dialer_of_a_transport_that_we_lack_fails_and_reports_nothing() -> None:
    combination = {**COMBINATIONS[0], "TRANSPORT": "webrtc-direct"}
    environment = environment_of(("127.0.0.1", 1), "00000000", combination, IS_DIALER="true")
    done = await anyio.run_process(COMMAND, env=environment, cwd=ROOT, check=False)
    assert done.returncode != 0
    assert done.stdout == b""
    assert b"peerloom has no webrtc-direct" in done.stderr


def test_settings_take_what_the_suite_leaves_open_from_its_documentation() -> None:
    environment = {
        **COMBINATIONS[2],
        "IS_DIALER": "true",
        "REDIS_ADDR": "perf-redis:6379",
        "TEST_KEY": "a5b50d5e",
        "UPLOAD_BYTES": "1073741824",
        "UPLOAD_ITERATIONS": "null",
    }
    settings = Settings.of(environment)
    assert settings.redis == ("perf-redis", 6379)
    assert settings.key == "a5b50d5e_listener_multiaddr"
    assert settings.measured == Measured(1 << 30, 1 << 30, 10, 10, 100)


def test_report_takes_outliers_out_of_the_extremes() -> None:
    report = parse(perf_report(("upload", [5.0, 1.0, 2.0, 100.0, 3.0, 4.0], "Gbps")))["upload"]
    assert (report["min"], report["max"], report["outliers"]) == (1.0, 5.0, [100.0])
    assert report["samples"] == [1.0, 2.0, 3.0, 4.0, 5.0, 100.0]
    assert (report["q1"], report["median"], report["q3"]) == (2.25, 3.5, 4.75)
    assert percentile([7.0], 0.75) == 7.0
    assert "  ping_rtt: 0.599" in latency_report(5.011, 0.599)


async def play(point: tuple[str, int], combination: dict[str, str], more: dict[str, str]) -> str:
    """Run a listener, and a dialer to its end; gives what the dialer printed."""
    key = os.urandom(4).hex()
    listening = environment_of(point, key, combination, IS_DIALER="false", LISTENER_IP="127.0.0.1")
    dialling = environment_of(point, key, combination, IS_DIALER="true", **more)
    async with await anyio.open_process(
        COMMAND, env=listening, cwd=ROOT, stdout=DEVNULL, stderr=None
    ) as listener:
        try:
            with anyio.fail_after(SECONDS):
                done = await anyio.run_process(COMMAND, env=dialling, cwd=ROOT, stderr=None)
        finally:
            listener.terminate()
    return done.stdout.decode()


def environment_of(
    point: tuple[str, int], key: str, combination: dict[str, str], **more: str
) -> dict[str, str]:
    """What the suite's compose file tells a program, on top of ours."""
    host, port = point
    told = {"REDIS_ADDR": f"{host}:{port}", "TEST_KEY": key, "DEBUG": "false"}
    return {**os.environ, **told, **combination, **more}


def parse(text: str) -> dict[str, dict[str, Any]]:
    """Sections of fields: as much of YAML as the reports are made of."""
    report: dict[str, dict[str, Any]] = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if not line.startswith(" "):
            section = report.setdefault(name, {})
        else:
            section[name.strip()] = parse_value(value.strip())
    return report


def parse_value(text: str) -> Any:
    """A number, a list of them, or a word."""
    if text.startswith("["):
        return [float(each) for each in re.findall(r"[\d.]+", text)]
    return float(text) if re.fullmatch(r"[\d.]+", text) else text
