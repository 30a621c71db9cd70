"""``peerloom new-plugin``: a complete plugin to begin with."""

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ._output import say, tell

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from importlib.resources.abc import Traversable

MAX_NAME_LENGTH: Final = 32
_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_SUFFIX: Final = ".template"

PluginName = Annotated[
    str, typer.Argument(metavar="NAME", help="Its name: a-z, 0-9 and -, as in word-count.")
]
Parent = Annotated[
    Path, typer.Option("--to", "-t", metavar="DIR", help="Where to make the plugin's folder.")
]


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("new-plugin")(new_plugin)


def new_plugin(name: PluginName, to: Parent = Path()) -> None:
    """Write a complete plugin, with tests and metadata, to begin with.

    It is an echo protocol with a command, an event, a setting and a typed client, in a new folder
    peerloom-NAME. What exists already is left as it is.
    """
    folder = write_plugin(name, to)
    say(f"wrote {folder}")
    there = folder if folder.is_absolute() else f"./{folder}"  # else pip takes it for a name
    installed, tested = shlex.quote(f"{there}[test]"), shlex.quote(str(folder))
    tell(f"Next:  pip install --editable {installed}  and  pytest {tested}")


def write_plugin(name: str, parent: Path) -> Path:
    """Write the plugin into a new folder; gives that. Raises `PluginError`."""
    from peerloom._errors import PluginError

    words = _words(_judged(name))
    folder = parent / words["distribution"]
    try:
        folder.mkdir(parents=True)
        for path, template in _templates():
            file = folder / _filled(path, words)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(_filled(template, words), encoding="utf-8")
    except FileExistsError:
        raise PluginError(
            f"{folder} exists: choose another name, or another place by --to"
        ) from None
    except OSError as error:
        raise PluginError(f"cannot write {folder}: {error.strerror or error}") from error
    return folder


def _judged(name: str) -> str:
    """The plugin's name alone; raises `PluginError` if there can be no such plugin."""
    from peerloom._errors import PluginError

    name = name.removeprefix("peerloom-")
    if not _NAME.fullmatch(name) or len(name) > MAX_NAME_LENGTH:
        meant = re.sub("[^a-z0-9]+", "-", name.lower()).strip("-")[:MAX_NAME_LENGTH].rstrip("-")
        hint = f"; {meant} would do" if _NAME.fullmatch(meant) else ""
        raise PluginError(
            f"{name!r} cannot name a plugin: write up to {MAX_NAME_LENGTH} of a-z and 0-9, with - "
            f"between them, a letter first{hint}"
        )
    if owner := _owner(name):
        raise PluginError(f"{name} is the name of {owner}: choose another one")
    return name


def _owner(name: str) -> str | None:
    """Whose name that is already."""
    from peerloom._config_file import reserved_sections
    from peerloom._core_plugins import CORE_PLUGINS
    from peerloom._known_plugins import known_plugin
    from peerloom._plugins import installed_candidates

    installed = {one.name: one.distribution for one in installed_candidates()}
    if name in CORE_PLUGINS:
        return "a plugin of core"
    if _section(name) in reserved_sections():
        return "a setting of core"
    known = known_plugin(name)
    return known.distribution if known else installed.get(name)


def _words(name: str) -> "Mapping[str, str]":
    from importlib.metadata import metadata

    from peerloom._hookspecs import API_LEVEL

    core = metadata("peerloom")
    major, minor, *_ = core["Version"].split(".")
    named = "".join(word.capitalize() for word in name.split("-"))
    public = ["ECHO_PROTOCOL", *sorted(["Echo", "Echoed", f"{named}Client", f"{named}Config"])]
    return {
        "name": name,
        "Name": named,
        "exports": ",\n    ".join(f'"{one}"' for one in public),
        "imports": ",\n    ".join(public),
        "distribution": f"peerloom-{name}",
        "package": f"peerloom_{_section(name)}",
        "section": _section(name),
        "api": str(API_LEVEL),
        "peerloom": f">={major}.{minor},<{major}.{int(minor) + 1}",
        "python": core["Requires-Python"],
    }


def _section(name: str) -> str:
    return name.replace("-", "_")


def _templates() -> "Iterator[tuple[str, str]]":
    """Each file's path within the plugin's folder, and its text."""
    from importlib.resources import files

    root = files(__package__) / "_new_plugin_files"
    for path, file in _files(root, ""):
        if path.endswith(_SUFFIX):
            yield path.removesuffix(_SUFFIX), file.read_text(encoding="utf-8")


def _files(folder: "Traversable", path: str) -> "Iterator[tuple[str, Traversable]]":
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _files(entry, f"{path}{entry.name}/")
        else:
            yield path + entry.name, entry


def _filled(text: str, words: "Mapping[str, str]") -> str:
    filled = text.replace("PACKAGE", words["package"])
    return re.sub(r"\{\{(\w+)\}\}", lambda match: words[match[1]], filled)
