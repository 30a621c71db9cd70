"""What no file of the project may contain."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.packaging.tree import PACKAGES, PLUGINS, ROOT, project_files, project_texts
from tests.packaging.wheelhouse import LOWEST, NEWEST, dependencies, extras, pinned

if TYPE_CHECKING:
    from pathlib import Path

REGISTRY = re.compile(
    r"://[^\s/\"'`<>()]*(?:pypi|pythonhosted|npm|yarn|crates|golang|goproxy|maven|debian|ubuntu)"
    r"|(?<![\w.])(?:registry|index|static|files|proxy|deb|repo\d*)\.[a-z0-9-]+\.(?:org|com|io|dev)"
    r"|\"resolved\": \"http|registry\+(?:http|sparse)|sparse\+http"
    r"|--(?:extra-)?index[-]url|--trusted[-]host"
    r"|\b(?:crates\.io|pypi\.org|npmjs\.(?:org|com)|proxy\.golang\.org)\b"
)
MACHINE_PATH = re.compile(r"(?<![\w.~$})/-])/(?:work|root|home|Users)/\w")
UNFINISHED = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")


@pytest.mark.parametrize(
    "forbidden",
    [
        pytest.param(REGISTRY, id="host-of-a-package-registry"),
        pytest.param(MACHINE_PATH, id="path-of-somebodys-machine"),
        pytest.param(UNFINISHED, id="unfinished-mark"),
    ],
)
def test_no_file_contains_a(forbidden: re.Pattern[str]) -> None:
    found = [
        f"{name}:{number}: {line.strip()[:120]}"
        for name, text in project_texts()
        for number, line in enumerate(text.splitlines(), start=1)
        if forbidden.search(line)
    ]

    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("forbidden", "line"),
    [
        (REGISTRY, "https://" + "pypi" + ".example/simple"),
        (REGISTRY, "registry" + ".npm" + "js.org"),
        (REGISTRY, '"resolved": ' + '"https://somewhere.example/x.tgz"'),
        (REGISTRY, 'source = "registry' + '+https://somewhere.example/index"'),
        (REGISTRY, "crates" + ".io"),
        (REGISTRY, "GOPROXY=" + "proxy" + ".golang.org,direct"),
        (REGISTRY, "-" + "-index-url https://somewhere.example"),
        (MACHINE_PATH, "see /" + "home/somebody/notes"),
        (UNFINISHED, "# TO" + "DO: later"),
    ],
)
def test_what_is_forbidden_is_recognised(forbidden: re.Pattern[str], line: str) -> None:
    assert forbidden.search(line)


@pytest.mark.parametrize("file", [NEWEST, LOWEST], ids=lambda path: path.stem)
def test_constraints_are_exact_and_complete(file: Path) -> None:
    lines = file.read_text().splitlines()
    wanted = (ROOT / "requirements-dev.in").read_text().splitlines()
    tools = {canonicalize_name(Requirement(it).name) for it in wanted if re.match(r"\w", it)}

    assert all(re.fullmatch(r"[\w.-]+==[\w.+!-]+", it) for it in lines if not it.startswith("#"))
    assert tools | dependencies().keys() <= pinned(file).keys()


def test_the_lowest_constraints_are_the_lowest_that_the_packages_allow() -> None:
    pins = pinned(LOWEST)
    lowest = {
        name: [Version(one.version) for one in requirement.specifier if one.operator == ">="]
        for name, requirement in dependencies().items()
    }

    assert lowest == {name: [pins[name]] for name in lowest}


def test_every_plugin_is_an_extra_of_the_core() -> None:
    names = {plugin: {f"peerloom-{plugin}"} for plugin in PLUGINS}

    assert extras() == {**names, "all": set.union(*names.values()), "testing": {"pytest"}}


@pytest.mark.parametrize("licence", ["LICENSE-APACHE", "LICENSE-MIT"])
def test_every_package_carries_the_licences_of_the_project(licence: str) -> None:
    original = (ROOT / licence).read_bytes()

    assert all((package / licence).read_bytes() == original for package in PACKAGES)


def test_nothing_large_is_kept() -> None:
    large = [str(path) for path in project_files() if path.stat().st_size > 1_000_000]

    assert not large
