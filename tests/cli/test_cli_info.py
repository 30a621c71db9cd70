"""What the command line tells without running a node; quick, and without py-libp2p."""

from __future__ import annotations

import stat
import tomllib
from typing import TYPE_CHECKING

import pytest

from peerloom import Node, PeerId
from peerloom._core_plugins import CORE_PLUGINS
from tests.cli.commands import install, peerloom

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = ("run", "init", "id", "ping", "perf", "plugins", "send", "receive", "demo")
HEAVY = ("libp2p", "trio", "OpenSSL", "psutil", "prometheus_client", "rich.console")

GREETER = """
import typer
from peerloom.plugin import PluginInfo, hookimpl

class Greeter:
    info = PluginInfo("greeter")

    @hookimpl
    def peerloom_cli(self, app):
        @app.command()
        def {word}(name: str) -> None:
            "Greet somebody."
            typer.echo(f"Hello, {{name}}")
        {then}

plugin = Greeter()
"""

GREEDY = """
from attrs import frozen
from peerloom.plugin import ConfigSection, PluginInfo, hookimpl

@frozen
class Settings:
    total: int = 1

class Greedy:
    info = PluginInfo("greedy")

    @hookimpl
    def peerloom_config_sections(self):
        return [ConfigSection("limits", Settings)]

plugin = Greedy()
"""


def lines(text: str) -> list[list[str]]:
    return [line.split(maxsplit=2) for line in text.splitlines()[1:]]


def rows(text: str) -> dict[str, tuple[str, str]]:
    return {name: (state, origin) for name, state, origin in lines(text)}


def test_help_names_every_command(tmp_path: Path) -> None:
    done = peerloom(tmp_path, "--help")
    assert done.returncode == 0
    assert all(f"\n  {name}" in done.stdout for name in COMMANDS)
    assert "demo-" not in done.stdout
    assert done.stdout in peerloom(tmp_path).stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(tmp_path: Path, command: str) -> None:
    done = peerloom(tmp_path, command, "--help")
    assert done.returncode == 0
    assert f"{command} [OPTIONS]" in done.stdout


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
    assert not any(tomllib.loads(text).values())
    assert "#listen = []" in text
    assert "[ping]" in text
    assert stat.S_IMODE((folder / "identity.key").stat().st_mode) == 0o600
    peer = peerloom(tmp_path, "id").stdout.strip()
    assert str(PeerId.from_string(peer)) == peer
    assert done.stdout.splitlines()[-1].endswith(f"peer id {peer}")


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


def test_plugins_lists_core_and_installed_ones(tmp_path: Path) -> None:
    listed = rows(peerloom(tmp_path, "plugins").stdout)
    assert {listed[name] for name in CORE_PLUGINS} == {("active", "peerloom itself")}
    assert listed["stream"][0] == "active"
    assert listed["stream"][1].startswith("peerloom-stream 0.")


async def test_plugins_of_core_are_those_that_a_node_has() -> None:
    async with Node() as node:
        status = await node.client.status()
    assert set(CORE_PLUGINS) <= set(status["plugins"])
    installed = {"stream"}
    assert set(status["plugins"]) - installed == set(CORE_PLUGINS)


def test_plugins_lists_disabled_ones_by_option_and_by_environment(tmp_path: Path) -> None:
    by_option = rows(peerloom(tmp_path, "plugins", "--no-plugin", "stream").stdout)
    by_environment = rows(peerloom(tmp_path, "plugins", env={"PEERLOOM_PLUGINS": "-stream"}).stdout)
    by_core = rows(peerloom(tmp_path, "plugins", "--no-plugin", "ping").stdout)
    assert by_option["stream"] == by_environment["stream"] == ("disabled", "disabled")
    assert by_core["ping"][0] == "disabled"
    assert by_core["stream"][0] == "active"


def test_plugins_lists_broken_ones_with_their_cause(tmp_path: Path) -> None:
    env = install(tmp_path / "site", "shaky", "raise RuntimeError('out of order')")
    done = peerloom(tmp_path, "plugins", env=env)
    assert done.returncode == 0
    assert rows(done.stdout)["shaky"] == (
        "broken",
        "peerloom-shaky 1.2: RuntimeError: out of order",
    )


def test_plugins_lists_as_broken_what_a_node_would_refuse(tmp_path: Path) -> None:
    env = install(tmp_path / "site", "greedy", GREEDY)
    listed = rows(peerloom(tmp_path, "plugins", env=env).stdout)
    assert listed["greedy"][0] == "broken"
    assert "[limits], which peerloom itself reads" in listed["greedy"][1]


@pytest.mark.parametrize("name", ["swarm", "ping"])
def test_plugins_lists_one_named_like_cores_own_as_broken(tmp_path: Path, name: str) -> None:
    source = GREETER.format(word="greet", then="pass").replace('"greeter"', f'"{name}"')
    env = install(tmp_path / "site", name, source)
    listed = lines(peerloom(tmp_path, "plugins", env=env).stdout)
    core, other = [line[1:] for line in listed if line[0] == name]
    assert core == ["active", "peerloom itself"]
    assert other[0] == "broken"
    assert other[1].startswith(f"peerloom-{name} 1.2: plugin {name} (peerloom 0.")
    assert "No such command 'greet'" in peerloom(tmp_path, "greet", "Ann", env=env).stderr


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


def test_plugins_that_is_not_installed_is_named(tmp_path: Path) -> None:
    done = peerloom(tmp_path, "plugins", "--plugin", "strean")
    assert done.returncode == 1
    assert "did you mean stream?" in done.stderr


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
