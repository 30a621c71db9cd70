"""What is said of words that are no command."""

from __future__ import annotations

import pytest
import typer
from typer.testing import CliRunner

from peerloom._cli._group import CommandGroup
from peerloom._known_plugins import KNOWN_PLUGINS, KnownPlugin

WORDS = [(word, one) for one in KNOWN_PLUGINS for word in one.words]


def told(*arguments: str) -> str:
    app = typer.Typer(cls=CommandGroup, rich_markup_mode=None)
    app.command("run")(lambda: typer.echo("running"))
    app.command("id")(lambda: None)
    done = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"})
    assert (done.exit_code == 0) == (arguments == ("run",))
    return done.output


def test_a_command_runs() -> None:
    assert told("run") == "running\n"


def test_a_mistyped_command_names_the_nearest() -> None:
    assert "No such command 'rum'. Did you mean 'run'?" in told("rum")


@pytest.mark.parametrize(("word", "plugin"), WORDS)
def test_a_command_of_a_plugin_of_ours_names_what_to_install(
    core_alone: None, word: str, plugin: KnownPlugin
) -> None:
    assert f"{word} comes with {plugin.remedy}" in told(word)


def test_chat_comes_with_gossipsub(core_alone: None) -> None:
    assert "chat comes with peerloom-gossipsub: pip install peerloom-gossipsub" in told("chat")


@pytest.mark.parametrize("plugin", KNOWN_PLUGINS, ids=lambda one: one.name)
def test_the_name_of_a_plugin_that_is_no_command_is_explained(
    core_alone: None, plugin: KnownPlugin
) -> None:
    assert f"{plugin.name} is a plugin, which comes with {plugin.distribution}" in told(plugin.name)


def test_a_plugin_that_is_installed_and_adds_no_command_is_named() -> None:
    assert "peerloom-stream is installed, but adds none; see `peerloom plugins`" in told("stream")
