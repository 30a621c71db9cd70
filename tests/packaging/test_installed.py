"""What a user gets who installs our wheels into an empty environment."""

from __future__ import annotations

from email.parser import Parser
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest

from tests.packaging.environments import empty
from tests.packaging.index import index_of
from tests.packaging.tree import PACKAGES, PLUGINS, example_of_the_readme
from tests.packaging.wheelhouse import COLLECT_SECONDS, NEWEST, collected, extras, pip

if TYPE_CHECKING:
    from tests.packaging.conftest import EnvironmentWith
    from tests.packaging.environments import Environment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2 * COLLECT_SECONDS)]
BACKENDS = ("asyncio", "trio")
MEET = str(Path(__file__).with_name("programs") / "meet.py")
BESIDE_THE_CORE = {"_peerloom_command.py", "_peerloom_pytest.py", "multiaddr-stubs"}
ALL = tuple(f"peerloom-{plugin}" for plugin in PLUGINS)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_a_wheel_is_typed_and_carries_both_licences(wheels: Path, package: Path) -> None:
    name = "peerloom" if package.name == "core" else f"peerloom_{package.name}"
    [path] = wheels.glob(f"{name}-*.whl")
    with ZipFile(path) as wheel:
        files = set(wheel.namelist())
        [metadata] = [file for file in files if file.endswith(".dist-info/METADATA")]
        fields = Parser().parsestr(wheel.read(metadata).decode())

    assert fields["License-Expression"] == "MIT OR Apache-2.0"
    assert fields.get_all("License-File") == ["LICENSE-APACHE", "LICENSE-MIT"]
    assert f"{name}/py.typed" in files
    beside = BESIDE_THE_CORE if name == "peerloom" else set()
    assert {file.split("/")[0] for file in files} == {name, metadata.split("/")[0], *beside}


@pytest.mark.parametrize("backend", BACKENDS)
def test_nodes_of_core_alone_meet(environment_with: EnvironmentWith, backend: str) -> None:
    plugins = nodes_meet(environment_with("peerloom"), backend)

    assert not plugins & set(PLUGINS)


def test_core_alone_says_which_plugins_could_be_added(environment_with: EnvironmentWith) -> None:
    core = environment_with("peerloom")
    said = core.plugins()

    assert not said["plugins"].keys() & set(PLUGINS)
    assert {one["distribution"] for one in said["could_be_added"]} >= set(ALL)
    assert "pip install peerloom-" in core.run("peerloom", "plugins")


@pytest.mark.parametrize("plugin", PLUGINS)
def test_core_with_one_plugin_has_it_and_no_other(
    environment_with: EnvironmentWith, plugin: str
) -> None:
    environment = environment_with(f"peerloom-{plugin}")
    listed = environment.plugins()["plugins"]

    environment.check()
    assert listed[plugin]["state"] == "active"
    assert listed[plugin]["distribution"] == f"peerloom-{plugin}"
    for backend in BACKENDS:
        assert nodes_meet(environment, backend) & set(PLUGINS) == {plugin}


@pytest.mark.parametrize("backend", BACKENDS)
def test_core_with_all_plugins_has_them(environment_with: EnvironmentWith, backend: str) -> None:
    assert nodes_meet(environment_with("peerloom", *ALL), backend) >= set(PLUGINS)


@pytest.mark.parametrize("asked", [",".join(PLUGINS[:2]), "all"])
def test_extras_bring_what_they_name_from_an_index(
    wheels: Path, tmp_path: Path, asked: str
) -> None:
    environment = empty(tmp_path / "environment")
    served = tmp_path / "index"
    served.mkdir()
    with index_of((wheels, collected(NEWEST)), served) as variables:
        requirement = f"peerloom[{asked}]"
        pip("install", "--no-compile", requirement, into=environment.python, env=variables)

    wanted = set.union(*(extras()[extra] for extra in asked.split(",")))
    assert environment.distributions() & {"peerloom", *ALL} == {"peerloom", *wanted}
    environment.check()
    assert {f"peerloom-{name}" for name in environment.plugins()["plugins"]} >= wanted


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_example_of_the_readme_works(environment_with: EnvironmentWith, backend: str) -> None:
    program, promised = example_of_the_readme()
    if backend == "trio":
        program = program.replace("import asyncio", "import trio")
        program = program.replace("asyncio.run(main())", "trio.run(main)")

    printed = environment_with("peerloom-stream").run("python", "-c", program)

    assert f"{backend}.run(main" in program
    assert printed == f"{promised}\n"


def nodes_meet(environment: Environment, backend: str) -> set[str]:
    """Let two nodes meet by TCP and by QUIC; gives the plugins that they had."""
    addresses, *plugins = environment.run("python", MEET, backend).split()

    assert addresses == "2"
    return set(plugins)
