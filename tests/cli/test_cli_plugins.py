"""``peerloom plugins`` and ``peerloom hooks``."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from peerloom import Node
from peerloom._cli._app import build_app
from peerloom._cli._inventory import installed_plugins
from peerloom._cli._settings import Settings
from peerloom._core_plugins import CORE_PLUGINS
from peerloom._judgement import KNOWN_HOOKS
from peerloom._known_plugins import KNOWN_PLUGINS
from tests.cli.commands import GREEDY, GREETER, install, peerloom

if TYPE_CHECKING:
    from pathlib import Path

TO_COME = {one.name for one in KNOWN_PLUGINS if one.to_come}


def lines(text: str) -> list[list[str]]:
    """What the table says of each plugin: name, state, origin."""
    table = text.partition("\n\n")[0]
    return [line.split(maxsplit=3)[1:] for line in table.splitlines()[1:]]


def rows(text: str) -> dict[str, tuple[str, str]]:
    return {name: (state, origin) for name, state, origin in lines(text)}


def test_plugins_lists_core_and_installed_ones(tmp_path: Path) -> None:
    listed = rows(peerloom(tmp_path, "plugins").stdout)
    assert {listed[name] for name in CORE_PLUGINS} == {("active", "peerloom itself")}
    assert listed["stream"][0] == "active"
    assert listed["stream"][1].startswith("peerloom-stream 0.")


async def test_plugins_are_those_of_a_node_in_its_order() -> None:
    async with Node() as node:
        status = await node.client.status()
    listed = [row.name for row in installed_plugins(Settings()).rows if row.start]
    assert listed == list(status["plugins"])
    assert set(CORE_PLUGINS) <= set(listed)


@pytest.mark.parametrize(
    ("arguments", "variable", "by"),
    [
        (("--no-plugin", "stream"), "", "disabled by the command line"),
        ((), "-stream", "disabled by PEERLOOM_PLUGINS"),
        (("--config", "node.toml"), "", "disabled by node.toml"),
        (("--plugin", "ping"), "-stream", "disabled by PEERLOOM_PLUGINS"),
        (("--plugin", "ping"), "", "not among those that the command line enables"),
    ],
)
def test_plugins_says_who_disables_them(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    variable: str,
    by: str,
) -> None:
    (tmp_path / "node.toml").write_text('[plugins]\ndisabled = ["stream"]\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PEERLOOM_PLUGINS", variable)
    done = CliRunner().invoke(build_app(), ["plugins", *arguments])
    state, origin = rows(done.output)["stream"]
    assert state == "disabled"
    assert re.fullmatch(f"peerloom-stream 0[^:]*: {by}", origin)


def test_plugins_lists_one_of_cores_as_disabled(tmp_path: Path) -> None:
    listed = rows(peerloom(tmp_path, "plugins", "--no-plugin", "ping").stdout)
    assert listed["ping"] == ("disabled", "peerloom itself: disabled by the command line")
    assert listed["stream"][0] == "active"


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


def test_plugins_that_is_not_installed_is_named(tmp_path: Path) -> None:
    done = peerloom(tmp_path, "plugins", "--plugin", "strean")
    assert done.returncode == 1
    assert "did you mean stream?" in done.stderr


def test_plugins_tells_of_a_mistyped_name_that_is_left_out(tmp_path: Path) -> None:
    done = peerloom(tmp_path, "plugins", "--no-plugin", "strean")
    assert done.returncode == 0
    assert "strean is disabled, but there is no such plugin; did you mean stream?" in done.stderr


def test_plugins_names_those_that_could_be_added_and_those_to_come(
    core_alone: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("peerloom._plugins.entry_points", lambda **_: ())
    table, added, coming = CliRunner().invoke(build_app(), ["plugins"]).output.split("\n\n")
    assert set(rows(table)) == set(CORE_PLUGINS)
    assert offers(added) == {one.name for one in KNOWN_PLUGINS if not one.to_come}
    assert offers(coming) == TO_COME
    assert "pip" in added
    assert "pip" not in coming


def offers(text: str) -> set[str]:
    return {line.split()[0] for line in text.splitlines()[1:]}


def test_plugins_tells_programs_all_of_it(tmp_path: Path) -> None:
    env = install(tmp_path / "site", "greedy", GREEDY)
    done = peerloom(tmp_path, "plugins", "--json", "--no-plugin", "ping", env=env)
    told = json.loads(done.stdout)
    by_name = {one["name"]: one for one in told["plugins"]}
    starts = [one["start"] for one in told["plugins"] if one["state"] == "active"]
    assert starts == list(range(1, len(starts) + 1))
    assert by_name["stream"]["provides"] == ["streams"]
    assert by_name["ping"]["cause"] == "disabled by the command line"
    assert by_name["greedy"]["state"] == "broken"
    assert by_name["greedy"]["start"] is None
    assert told["could_be_added"] == []
    assert {one["name"] for one in told["to_come"]} == TO_COME
    assert all(one["does"] and one["distribution"] for one in told["to_come"])


def test_hooks_says_who_implements_which(tmp_path: Path) -> None:
    env = install(tmp_path / "site", "greeter", GREETER.format(word="greet", then="pass"))
    done = peerloom(tmp_path, "hooks", "--no-plugin", "stream", env=env)
    listed = dict(line.split(maxsplit=1) for line in done.stdout.splitlines()[1:])
    assert list(listed) == list(KNOWN_HOOKS)
    assert listed["peerloom_cli"] == "gossipsub, greeter"
    assert listed["peerloom_transports"] == "swarm"
    assert listed["peerloom_gate"] == "nobody"
    assert "stream" not in done.stdout


def test_hooks_tells_all_about_one(tmp_path: Path) -> None:
    told = peerloom(tmp_path, "hooks", "status").stdout
    assert told.startswith("peerloom_status(ctx: PluginContext) -> Mapping[str, Any]\n")
    assert "called whenever somebody asks" in told
    assert told.splitlines()[-1].startswith("Implemented by discovery, gossipsub, identify")


def test_hooks_names_the_nearest_of_one_that_there_is_not(tmp_path: Path) -> None:
    done = peerloom(tmp_path, "hooks", "peerloom_statsu")
    assert done.returncode == 1
    assert "no hook peerloom_statsu; did you mean peerloom_status?" in done.stderr


@pytest.mark.parametrize("name", ["nope", "peerloom_nope"])
def test_hooks_names_them_all_where_none_is_near(name: str) -> None:
    done = CliRunner().invoke(build_app(), ["hooks", name])
    every = ", ".join(KNOWN_HOOKS)
    assert str(done.exception) == f"there is no hook peerloom_nope; there are {every}"


@pytest.mark.parametrize("hook", KNOWN_HOOKS)
def test_each_hook_tells_what_it_takes_or_gives(hook: str) -> None:
    told = CliRunner().invoke(build_app(), ["hooks", hook]).output.split("\n\n")
    signature, _, *more, implemented = told
    assert signature.startswith(hook)
    assert more
    assert implemented.startswith("Implemented by ")


def test_hooks_tells_programs_all_of_it(tmp_path: Path) -> None:
    told = json.loads(peerloom(tmp_path, "hooks", "--json").stdout)["hooks"]
    gate = next(one for one in told if one["hook"] == "peerloom_gate")
    assert [one["hook"] for one in told] == list(KNOWN_HOOKS)
    assert gate["arguments"] == ["stage", "peer", "address"]
    assert gate["implemented_by"] == []
    assert all(one["documentation"] for one in told)
