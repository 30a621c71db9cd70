"""``peerloom new-plugin``: what it writes works, is clean, and overwrites nothing."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest

from peerloom import PluginError
from peerloom._cli._new_plugin import MAX_NAME_LENGTH, write_plugin
from tests.cli.commands import SECONDS, peerloom
from tests.packaging.tree import ROOT
from tests.plugin_project import unpack, wheel_of

if TYPE_CHECKING:
    from pathlib import Path

LONGEST = "l" + "o" * (MAX_NAME_LENGTH - 6) + "-n6st"
TEMPLATES = ROOT / "core" / "src" / "peerloom" / "_cli" / "_new_plugin_files"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plugin as the command writes it."""
    folder = tmp_path_factory.mktemp("new")
    done = peerloom(folder, "new-plugin", "word-count", cwd=folder)
    assert (done.returncode, done.stdout) == (0, "wrote peerloom-word-count\n")
    assert "pip install --editable './peerloom-word-count[test]'" in done.stderr
    return folder / "peerloom-word-count"


@pytest.fixture(scope="module")
def wheel(project: Path) -> Path:
    return wheel_of(project, project.parent)


def run(project: Path, *command: str, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=project,
        check=False,
        capture_output=True,
        text=True,
        timeout=2 * SECONDS,
        env={**os.environ, **(env or {})},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def text_of(project: Path) -> str:
    return "\n".join(path.read_text() for path in sorted(project.rglob("*")) if path.is_file())


def test_what_to_do_next_is_right_wherever_the_plugin_is(tmp_path: Path) -> None:
    done = peerloom(tmp_path, "new-plugin", "echo", "--to", "Ann's plugins", cwd=tmp_path)
    *_, folder = shlex.split(done.stderr)
    assert (tmp_path / folder / "pyproject.toml").is_file()


def test_its_own_tests_pass_on_both_backends(project: Path, wheel: Path, tmp_path: Path) -> None:
    output = run(project, "pytest", "-v", "-p", "no:cacheprovider", env=unpack(wheel, tmp_path))
    for backend in ("asyncio", "trio"):
        assert f"test_a_message_comes_back_and_the_other_side_tells[{backend}] PASSED" in output
        assert f"test_survives_what_peers_send[{backend}] PASSED" in output
    assert "skipped" not in output


def test_it_is_listed_and_healthy_once_installed(wheel: Path, tmp_path: Path) -> None:
    env = unpack(wheel, tmp_path / "site")
    listed = peerloom(tmp_path, "plugins", env=env).stdout
    assert re.search(
        r"^\d+ +word-count +active +peerloom-word-count 0\.1\.0$", listed, re.MULTILINE
    )
    told = peerloom(tmp_path, "doctor", env=env).stdout
    assert "ok       peerloom-word-count: 0.1.0; what it requires is there" in told
    assert "[word_count]" in _config_of(tmp_path, env)


def _config_of(home: Path, env: dict[str, str]) -> str:
    assert peerloom(home, "init", "--data", str(home / "data"), env=env).returncode == 0
    return (home / "data" / "config.toml").read_text()


def test_the_wheel_is_typed_and_the_metadata_complete(project: Path, wheel: Path) -> None:
    with ZipFile(wheel) as files:
        names = files.namelist()
    metadata = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    assert "peerloom_word_count/py.typed" in names
    assert metadata["entry-points"] == {
        "peerloom.plugins": {"word-count": "peerloom_word_count._plugin:plugin"}
    }
    assert metadata["dependencies"][0] == "peerloom>=0.1,<0.2"


def test_its_classes_are_named_after_it(project: Path) -> None:
    source = text_of(project / "src")
    for kind in ("Behaviour", "Client", "Config", "Plugin"):
        assert f"class WordCount{kind}" in source
        assert f"Echo{kind}" not in source


def test_what_it_says_to_do_next_can_be_done(tmp_path: Path) -> None:
    for where in ((), ("--to", str(tmp_path / "there"))):
        done = peerloom(tmp_path, "new-plugin", "word-count", *where, cwd=tmp_path)
        wanted = re.search(r"pip install --editable '(.+)\[test\]'", done.stderr)
        assert wanted is not None
        assert wanted[1].startswith(("./", "/"))  # pip takes anything else for a name
        assert (tmp_path / wanted[1] / "pyproject.toml").exists()


def test_nothing_is_left_to_fill_in(project: Path) -> None:
    text = text_of(project)
    assert "{{" not in text
    assert "PACKAGE" not in text
    assert "word-count" in text
    assert "word_count" in text


@pytest.mark.parametrize("name", ["w", "word-count", LONGEST])
def test_it_is_clean_by_our_own_rules_whatever_the_name(tmp_path: Path, name: str) -> None:
    project = write_plugin(name, tmp_path)
    rules = ("--config", str(ROOT / "pyproject.toml"), "--no-cache")
    run(project, "ruff", "check", *rules, "--config", 'src = ["src"]', ".")
    run(project, "ruff", "format", "--check", *rules, ".")
    run(project, "ruff", "format", "--check", "--no-cache", ".")


def test_every_template_is_used(tmp_path: Path) -> None:
    templates = [path for path in TEMPLATES.rglob("*") if path.is_file()]
    written = [path for path in write_plugin("count", tmp_path).rglob("*") if path.is_file()]
    assert all(path.suffix == ".template" for path in templates)
    assert len(written) == len(templates) > 10


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("Word_Count", "word-count would do"),
        ("9", "a letter first"),
        ("", "a letter first"),
        ("word count", "word-count would do"),
        ("../word", "word would do"),
        ("x" * (MAX_NAME_LENGTH + 1), f"up to {MAX_NAME_LENGTH}"),
        ("kad", "the name of peerloom-kad"),
        ("peerloom-kad", "the name of peerloom-kad"),
        ("ping", "the name of a plugin of core"),
        ("data-folder", "the name of a setting of core"),
    ],
)
def test_a_name_that_cannot_be_is_refused_with_what_to_do(
    tmp_path: Path, name: str, complaint: str
) -> None:
    with pytest.raises(PluginError, match=complaint):
        write_plugin(name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_exists_is_left_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "peerloom-word-count"
    folder.mkdir()
    (folder / "README.md").write_text("mine")
    done = peerloom(tmp_path, "new-plugin", "peerloom-word-count", "--to", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith(f"peerloom: {folder} exists: choose another name")
    assert [path.name for path in folder.iterdir()] == ["README.md"]
    assert (folder / "README.md").read_text() == "mine"


def test_where_it_may_not_write_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PluginError, match=f"cannot write {tmp_path}/file/peerloom-word-count: Not"):
        write_plugin("word-count", tmp_path / "file")
