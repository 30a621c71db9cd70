"""What there is to document: every public name of every package, once."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from inspect import isclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from attrs import fields, frozen, has

from peerloom import Command, Event, NetworkConfig, PeerloomError, _errors
from peerloom._config import Bootstrap
from peerloom._core_plugins import core_plugins
from peerloom.plugin import ConfigSection, Hooks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE_OF_PACKAGE: Final = {
    "peerloom": "names",
    "peerloom.plugin": "names",
    "peerloom.testing": "testing",
    "peerloom.blocking": "blocking",
    "peerloom.cli": "cli",
}
CORE: Final = "peerloom itself"
NOT_AS_IN_A_FILE: Final = {"bootstrap": Bootstrap}  # there it is a section


@frozen
class Entry:
    """A public name, and every package that offers it."""

    name: str
    thing: Any
    packages: tuple[str, ...]
    is_exported: bool = True

    @property
    def target(self) -> str:
        """What links lead to."""
        return f"{self.packages[0]}-{self.name}".replace(".", "-").replace("_", "-").lower()


def packages() -> tuple[str, ...]:
    """Core's public modules and the plugins of this working copy."""
    plugins = sorted(path.parent.name for path in ROOT.glob("plugins/*/pyproject.toml"))
    return (*PAGE_OF_PACKAGE, *(f"peerloom_{name}" for name in plugins))


@cache
def entries() -> tuple[Entry, ...]:
    """Every public name in the order of its alphabet; a name that two packages offer comes once."""
    found: dict[tuple[str, int], Entry] = {}
    for package in packages():
        module = import_module(package)
        for name in module.__all__:
            thing = getattr(module, name)
            earlier = found.get((name, id(thing)))
            offered = (*earlier.packages, package) if earlier else (package,)
            found[name, id(thing)] = Entry(name, thing, offered)
    for error in _errors_that_no_package_exports(found.values()):
        found[error.__name__, id(error)] = Entry(
            error.__name__, error, ("peerloom",), is_exported=False
        )
    return tuple(sorted(found.values(), key=lambda entry: (entry.name.lower(), entry.packages)))


def _errors_that_no_package_exports(found: Any) -> list[type[PeerloomError]]:
    known = {entry.name for entry in found}
    return [
        thing
        for name, thing in vars(_errors).items()
        if name not in known and isclass(thing) and issubclass(thing, PeerloomError)
    ]


def kind_of(entry: Entry) -> str:
    """On which page an entry stands."""
    thing = entry.thing
    if thing is Hooks:
        return "hooks"
    if isclass(thing) and thing in _settings_classes():
        return "settings"
    kinds = {Command: "commands", Event: "events", PeerloomError: "errors"}
    kind = next((kind for base, kind in kinds.items() if _is_proper(thing, base)), None)
    return kind or PAGE_OF_PACKAGE.get(entry.packages[0], "plugins")


def _is_proper(thing: object, base: type) -> bool:
    if not isclass(thing) or not issubclass(thing, base):
        return False
    return thing is not base or base is PeerloomError


def of_kind(kind: str) -> Iterator[Entry]:
    """The entries of one page."""
    return (entry for entry in entries() if kind_of(entry) == kind)


@cache
def sections() -> tuple[tuple[str, ConfigSection], ...]:
    """Who reads which section of the configuration: core's own plugins first."""
    own = [(CORE, plugin) for plugin in core_plugins(NetworkConfig())]
    installed = [
        (f"peerloom-{point.name}", point.load())
        for point in sorted(entry_points(group="peerloom.plugins"), key=lambda point: point.name)
        if (ROOT / "plugins" / point.name / "pyproject.toml").exists()
    ]
    return tuple(
        (owner, section)
        for owner, plugin in (*own, *installed)
        for section in getattr(plugin, "peerloom_config_sections", list)()
    )


@cache
def _settings_classes() -> frozenset[type]:
    return frozenset({NetworkConfig, *(section.config_class for _, section in sections())})


def settings_of(config_class: type, prefix: str = "") -> Iterator[tuple[str, type, Any]]:
    """As a file has them: the path of each setting, the class that it is a field of, the field."""
    for one in fields(config_class):
        nested = type(default_of(one))
        if config_class is NetworkConfig and one.name in NOT_AS_IN_A_FILE:
            nested = NOT_AS_IN_A_FILE[one.name]
        if has(nested):
            yield from settings_of(nested, f"{prefix}{one.name}.")
        elif nested is not dict:
            yield f"{prefix}{one.name}", config_class, one


def default_of(one: Any) -> Any:
    """What a field is when nobody says anything."""
    factory = getattr(one.default, "factory", None)
    return factory() if factory else one.default


def targets() -> Mapping[str, str]:
    """Where each name leads; core's meaning of it where there are several."""
    named = {entry.name: entry.target for entry in reversed(entries())}
    hooks = {name: hook_target(name) for name in hook_names()}
    return {**named, **hooks}


def hook_target(name: str) -> str:
    """What links to a hook lead to."""
    return f"hook-{name}".replace("_", "-")


def hook_names() -> tuple[str, ...]:
    """The hooks, in the order in which a plugin meets them."""
    return tuple(name for name in vars(Hooks) if name.startswith("peerloom_"))
