"""The app, its commands, and their group, which knows where those that are missing come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand, TyperGroup

from peerloom._known_plugins import KnownPlugin, is_installed, plugin_of_word

if TYPE_CHECKING:
    from collections.abc import Callable


class Command(TyperCommand):
    """A command whose usage names what must be given without braces, which nobody types."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """What stands behind the name, as in ``[OPTIONS] TOPIC``."""
        pieces = super().collect_usage_pieces(ctx)
        return [piece.replace("{", "").replace("}", "") for piece in pieces]


class App(typer.Typer):
    """An app of such commands, those that plugins add among them."""

    def command(self, name: str | None = None, **settings: Any) -> Callable[[Any], Any]:
        """Add a command, as typer does."""
        return super().command(name, **{"cls": Command, **settings})


class CommandGroup(TyperGroup):
    """Core's commands and those of plugins; a mistyped one names the nearest."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is meant; of one that a plugin of ours would add, which plugin."""
        known = plugin_of_word(args[0]) if args else None
        if known is not None and args[0] not in self.commands:
            ctx.fail(f"No such command {args[0]!r}: {_origin(args[0], known)}")
        return super().resolve_command(ctx, args)


def _origin(word: str, known: KnownPlugin) -> str:
    if is_installed(known.distribution):
        return f"{known.distribution} is installed, but adds none; see `peerloom plugins`"
    if word in known.words:
        return f"{word} comes with {known.remedy}"
    return f"{word} is a plugin, which comes with {known.remedy}"
