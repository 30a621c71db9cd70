"""What the command line tells without running a node; quick, and without py-libp2p."""

from __future__ import annotations

import re
import stat
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from peerloom import PeerId
from tests.cli.commands import GREEDY, GREETER, install, peerloom
from tests.packaging.tree import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMANDS = (
    *("run", "init", "id", "ping", "perf", "send", "receive", "demo"),
    *("plugins", "hooks", "doctor", "new-plugin"),
)
HEAVY = ("libp2p", "trio", "OpenSSL", "psutil", "prometheus_client", "rich.console")


def test_help_names_every_command(tmp_path: Path) -> None:
    done = peerloom(tmp_path, "--help")
    assert done.returncode == 0
    assert all(f"\n  {name}" in done.stdout for name in COMMANDS)
    assert "demo-" not in done.stdout
    assert done.stdout in peerloom(tmp_path).stderr


def test_the_readme_of_core_names_every_command() -> None:
    readme = (ROOT / "core" / "README.md").read_text()
    table = readme.partition("## On the command line")[2].partition("\n## ")[0]
    assert set(re.findall(r"`(\w[\w-]*)`", table)) >= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(tmp_path: Path, command: str) -> None:
    done = peerloom(tmp_path, command, "--help")
    assert done.returncode == 0
    assert f"{command} [OPTIONS]" in done.stdout


@pytest.mark.parametrize(
    ("command", "arguments"), [("ping", " ADDRESS"), ("hooks", " [HOOK]"), ("chat", " TOPIC")]
)
def test_the_usage_names_arguments_as_they_are_typed(
    tmp_path: Path, command: str, arguments: str
) -> None:
    done = peerloom(tmp_path, command, "--help")
    assert done.stdout.splitlines()[0] == f"Usage: peerloom {command} [OPTIONS]{arguments}"
    assert " range>" not in done.stdout


@pytest.mark.parametrize("arguments", [("--help",), ("plugins",), ("receive", "--help")])
def test_what_only_tells_imports_little(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = peerloom(tmp_path, *arguments, env={"PYTHONPROFILEIMPORTTIME": "1"})
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "peerloom._cli._app" in imported
    assert imported.isdisjoint(HEAVY)


def test_version_is_that_of_the_distribution(tmp_path: Path) -> None:
    assert peerloom(tmp_path, "--version").stdout.startswith("peerloom 0.")


def test_unknown_command_is_a_usage_error(tmp_path: Path) -> None:
    done = peerloom(tmp_path, "fly")
    assert done.returncode == 2
    assert "No such command 'fly'" in done.stderr


def test_init_writes_a_config_that_says_nothing_yet_and_a_private_key(tmp_path: Path) -> None:
    done = peerloom(tmp_path, "init")
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "data" / "peerloom"
    text = (folder / "config.toml").read_text()
    assert not list(_said(tomllib.loads(text)))
    assert "#listen = []" in text
    assert "[ping]" in text
    assert stat.S_IMODE((folder / "identity.key").stat().st_mode) == 0o600
    peer = peerloom(tmp_path, "id").stdout.strip()
    assert str(PeerId.from_string(peer)) == peer
    assert done.stdout.splitlines()[-1].endswith(f"peer id {peer}")


def _said(table: dict[str, Any]) -> Iterator[object]:
    """What a configuration says, in sections within sections."""
    for value in table.values():
        if isinstance(value, dict):
            yield from _said(value)
        else:
            yield value


def test_init_keeps_what_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    first = peerloom(tmp_path, "init", "--data", str(folder))
    (folder / "config.toml").write_text("keep_alive_seconds = 5\n")
    again = peerloom(tmp_path, "init", "--data", str(folder))
    assert again.returncode == 0
    assert again.stdout == first.stdout.replace("wrote", "kept")
    assert (folder / "config.toml").read_text() == "keep_alive_seconds = 5\n"


def test_init_where_it_may_not_write_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = peerloom(tmp_path, "init", "--data", str(tmp_path / "file" / "folder"))
    assert done.returncode == 1
    assert done.stderr.startswith("peerloom: cannot write")
    assert done.stderr.count("\n") == 1


def test_id_without_an_identity_says_what_makes_one(tmp_path: Path) -> None:
    done = peerloom(tmp_path, "id")
    assert (done.returncode, done.stdout) == (1, "")
    assert "`peerloom init` makes one" in done.stderr


def test_wrong_setting_is_named_with_its_file(tmp_path: Path) -> None:
    config = tmp_path / "node.toml"
    config.write_text("[ping]\nintervall_seconds = 3\n")
    done = peerloom(tmp_path, "id", "--config", str(config))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert str(config) in done.stderr
    assert "interval_seconds" in done.stderr


def test_section_of_a_disabled_plugin_may_have_another_name(tmp_path: Path) -> None:
    env = install(
        tmp_path / "site",
        "router",
        GREEDY.replace("limits", "routing").replace('"greedy"', '"router"'),
    )
    config = tmp_path / "node.toml"
    config.write_text("[routing]\ntotal = 5\n")
    of_config = ("--config", str(config))
    assert peerloom(tmp_path, "init", env=env).returncode == 0
    assert peerloom(tmp_path, "id", *of_config, env=env).stderr == ""
    without = peerloom(tmp_path, "id", *of_config, env={**env, "PEERLOOM_PLUGINS": "-router"})
    assert without.returncode == 0
    assert f"{config}: [routing] is not read" in without.stderr


def test_plugin_adds_a_command(tmp_path: Path) -> None:
    env = install(tmp_path / "site", "greeter", GREETER.format(word="greet", then="pass"))
    assert peerloom(tmp_path, "greet", "Ann", env=env).stdout == "Hello, Ann\n"
    assert "greet" in peerloom(tmp_path, "--help", env=env).stdout


@pytest.mark.parametrize(
    ("word", "then", "complaint"),
    [("greet", "raise OSError('no')", "OSError: no"), ("run", "pass", "peerloom itself has")],
)
def test_plugin_whose_command_cannot_be_added_is_told_and_left_out(
    tmp_path: Path, word: str, then: str, complaint: str
) -> None:
    env = install(tmp_path / "site", "greeter", GREETER.format(word=word, then=then))
    done = peerloom(tmp_path, "plugins", env=env)
    assert done.returncode == 0
    assert "the commands of plugin greeter are not available" in done.stderr
    assert complaint in done.stderr
