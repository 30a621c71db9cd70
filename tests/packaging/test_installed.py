"""What a user gets who installs our wheels into an empty environment."""

from __future__ import annotations

import re
from email.parser import Parser
from socket import socket
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest

from tests.packaging.conftest import INSTALL_SECONDS, EnvironmentWith
from tests.packaging.tree import PACKAGES, example_of_the_readme

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(3 * INSTALL_SECONDS)
STREAM_ROW = re.compile(r"^\W*stream\b", re.MULTILINE)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_a_wheel_is_typed_and_carries_both_licences(wheelhouse: Path, package: Path) -> None:
    name = "peerloom" if package.name == "core" else f"peerloom_{package.name}"
    [path] = wheelhouse.glob(f"{name}-*.whl")
    with ZipFile(path) as wheel:
        files = set(wheel.namelist())
        [metadata] = [file for file in files if file.endswith(".dist-info/METADATA")]
        fields = Parser().parsestr(wheel.read(metadata).decode())

    assert fields["License-Expression"] == "MIT OR Apache-2.0"
    assert fields.get_all("License-File") == ["LICENSE-APACHE", "LICENSE-MIT"]
    assert f"{name}/py.typed" in files
    beside = {"_peerloom_command.py", "multiaddr-stubs"} if name == "peerloom" else set()
    assert {file.split("/")[0] for file in files} == {name, metadata.split("/")[0], *beside}


def test_core_alone_works_and_has_no_plugins(environment_with: EnvironmentWith) -> None:
    core = environment_with("peerloom")

    assert core.run("python", "-c", "import peerloom; print('imported')") == "imported\n"
    assert "plugins" in core.run("peerloom", "--help")
    assert not STREAM_ROW.search(core.run("peerloom", "plugins"))


def test_core_with_the_stream_plugin_lists_it(environment_with: EnvironmentWith) -> None:
    listing = environment_with("peerloom", "peerloom-stream").run("peerloom", "plugins")

    assert STREAM_ROW.search(listing)
    assert "peerloom-stream" in listing


def test_the_extra_brings_the_plugin(environment_with: EnvironmentWith) -> None:
    listing = environment_with("peerloom[stream]").run("peerloom", "plugins")

    assert STREAM_ROW.search(listing)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_example_of_the_readme_works(environment_with: EnvironmentWith, backend: str) -> None:
    program, promised = example_of_the_readme()
    program = program.replace("/tcp/4001", f"/tcp/{_free_port()}")
    if backend == "trio":
        program = program.replace("import asyncio", "import trio")
        program = program.replace("asyncio.run(main())", "trio.run(main)")

    printed = environment_with("peerloom", "peerloom-stream").run("python", "-c", program)

    assert f"{backend}.run(main" in program
    assert printed == f"{promised}\n"


def _free_port() -> int:
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
