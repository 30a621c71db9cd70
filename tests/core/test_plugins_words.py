"""The words that plugins add to the command line."""

from __future__ import annotations

import typer

from peerloom._plugins import (
    extend_cli,
    load_plugins,
)
from tests.core.plugin_kit import candidate, plugin


class TestCommandLineWords:
    @staticmethod
    def app_with(word: str) -> typer.Typer:
        app = typer.Typer()
        app.command(word)(lambda: None)
        return app

    def test_are_added_by_plugins(self) -> None:
        app = self.app_with("run")
        loaded = load_plugins(
            [candidate(plugin(cli=lambda app: app.command("walk")(lambda: None)))]
        )
        assert not extend_cli(app, loaded.plugins)
        assert [one.name for one in app.registered_commands] == ["run", "walk"]

    def test_conflicts_name_both_and_add_nothing_of_the_later(self) -> None:
        def cli(app: typer.Typer) -> None:
            app.command("extra")(lambda: None)
            app.add_typer(typer.Typer(), name="walk")

        loaded = load_plugins(
            [
                candidate(plugin("one", cli=lambda app: app.command()(walk)), "dist-a"),
                candidate(plugin("two", cli=cli), "dist-b"),
            ]
        )
        app = self.app_with("run")
        (broken,) = extend_cli(app, loaded.plugins)
        assert "command walk, which plugin one (dist-a 1.0) has" in str(broken)
        assert broken.distribution == "dist-b"
        assert not app.registered_groups

    def test_a_group_without_a_name_hides_no_command(self) -> None:
        def cli(app: typer.Typer) -> None:
            group = self.app_with("run")
            group.command("walk")(lambda: None)
            app.add_typer(group)

        app = self.app_with("run")
        (broken,) = extend_cli(app, load_plugins([candidate(plugin(cli=cli))]).plugins)
        assert "command run, which peerloom itself has" in str(broken)
        assert not app.registered_groups

    def test_a_command_that_cannot_be_built_is_left_out(self) -> None:
        def command(size: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821, UP037

        app = self.app_with("run")
        loaded = load_plugins([candidate(plugin(cli=lambda app: app.command("walk")(command)))])
        assert "'Nowhere' is not defined" in str(extend_cli(app, loaded.plugins)[0])
        assert [one.name for one in app.registered_commands] == ["run"]

    def test_plugin_that_raises_is_listed(self) -> None:
        def cli(app: typer.Typer) -> None:
            raise SystemExit(1)

        loaded = load_plugins([candidate(plugin(cli=cli))])
        assert "sys.exit" in str(extend_cli(typer.Typer(), loaded.plugins)[0])


def walk() -> None:
    """A command named by its function."""
