"""Who may import whom, and how long a module may be."""

from __future__ import annotations

import ast
from importlib import import_module
from inspect import get_annotations, getdoc, isclass, isfunction
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from tests.packaging.tree import PACKAGES, ROOT, imported_by, modules_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_LINES = 400
MODULES = [module for package in PACKAGES for module in modules_of(package)]
PLUGINS = [package for package in PACKAGES if package.parent.name == "plugins"]
BORDER = ROOT / "core/src/peerloom/_libp2p"
PUBLIC = (
    "peerloom",
    "peerloom.blocking",
    "peerloom.cli",
    "peerloom.plugin",
    "peerloom.testing",
    *(f"peerloom_{path.name}" for path in PLUGINS),
)


def _lines(*modules: Path) -> int:
    return sum(len(module.read_text().splitlines()) for module in modules)


def test_no_module_is_longer_than_the_wall() -> None:
    long = [f"{module}: {_lines(module)}" for module in MODULES if _lines(module) > MAX_LINES]

    assert not long, "\n".join(long)


def test_only_the_border_imports_libp2p_and_the_border_is_short() -> None:
    touching = [
        module
        for module in MODULES
        if any(name.split(".")[0] == "libp2p" for name in imported_by(module))
    ]

    assert touching
    assert all(module.is_relative_to(BORDER) for module in touching), touching
    assert _lines(*BORDER.glob("*.py")) <= MAX_LINES


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_a_plugin_imports_no_other_plugin_and_nothing_private(plugin: Path) -> None:
    own = f"peerloom_{plugin.name}"
    wrong = [
        f"{module}: {name}"
        for module in modules_of(plugin)
        for name in imported_by(module)
        if (name.startswith("peerloom_") and name.split(".")[0] != own)
        or name.startswith("peerloom._")
    ]

    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_a_plugin_of_ours_passes_what_every_plugin_passes(plugin: Path) -> None:
    tests = ROOT / "tests" / plugin.name / f"test_{plugin.name}_conformance.py"

    assert "(PluginConformance):" in tests.read_text()
    assert f'plugin = "{plugin.name}"' in tests.read_text()


@pytest.mark.parametrize("name", PUBLIC)
def test_all_names_exactly_what_is_public(name: str) -> None:
    module = import_module(name)
    public = {
        key
        for key, value in vars(module).items()
        if not key.startswith("_") and not isinstance(value, ModuleType) and key != "annotations"
    }

    assert set(module.__all__) == public


@pytest.mark.parametrize("name", PUBLIC)
def test_everything_public_has_a_docstring(name: str) -> None:
    module = import_module(name)
    without = [f"{name}.{key}" for key in module.__all__ if _undocumented(getattr(module, key))]
    without += [
        f"{name}.{key}.{member}"
        for key in module.__all__
        if isclass(thing := getattr(module, key)) and thing.__module__.startswith("peerloom")
        for member, value in vars(thing).items()
        if not member.startswith("_") and isfunction(value) and not getdoc(getattr(thing, member))
    ]

    assert not without, "\n".join(without)


def test_what_a_plugin_author_is_promised_can_be_imported() -> None:
    module = import_module("peerloom.plugin")
    private = _names_of_core() - {*import_module("peerloom").__all__, *module.__all__}
    lacking = [
        f"{key}{where}: {wanted}"
        for key in module.__all__
        if isclass(thing := getattr(module, key)) and thing.__module__.startswith("peerloom")
        for where, annotation in _annotations(thing)
        for wanted in _names_in(annotation) & private
    ]

    assert _names_in("Sequence[Iterable | None]") == {"Sequence", "Iterable"}
    assert not lacking, "\n".join(lacking)


def test_what_the_client_gives_can_be_imported() -> None:
    module = import_module("peerloom")
    given = {
        name
        for key, value in vars(module.NetworkClient).items()
        if isfunction(value) and key[0] != "_"
        for name in _names_in(get_annotations(value)["return"]) & _names_of_core()
    }

    assert {"Subscription", "Stream", "ConnectionInfo"} <= given
    assert given <= set(module.__all__)


def _names_of_core() -> set[str]:
    """The classes of core's modules, and the names of their unions."""
    names: set[str] = set()
    for module in modules_of(ROOT / "core"):
        for node in ast.parse(module.read_text()).body:
            match node:
                case ast.ClassDef(name=name):
                    names.add(name)
                case ast.Assign(targets=[ast.Name(id=alias)], value=ast.BinOp()):
                    names.add(alias)
    return names


def _annotations(thing: type) -> Iterator[tuple[str, str]]:
    """What a class says of its attributes and of its public methods' arguments and results."""
    yield from ((f".{key}", text) for key, text in get_annotations(thing).items() if key[0] != "_")
    for key, value in vars(thing).items():
        function = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        if isfunction(function) and key[0] != "_":
            yield from ((f".{key}", text) for text in get_annotations(function).values())


def _names_in(annotation: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(annotation)) if isinstance(node, ast.Name)}


def _undocumented(thing: object) -> bool:
    return (isclass(thing) or isfunction(thing)) and not thing.__doc__
