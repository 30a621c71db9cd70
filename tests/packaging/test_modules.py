"""Who may import whom, and how long a module may be."""

from __future__ import annotations

from importlib import import_module
from inspect import getdoc, isclass, isfunction
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from tests.packaging.tree import PACKAGES, ROOT, imported_by, modules_of

if TYPE_CHECKING:
    from pathlib import Path

MAX_LINES = 400
MODULES = [module for package in PACKAGES for module in modules_of(package)]
PLUGINS = [package for package in PACKAGES if package.parent.name == "plugins"]
BORDER = ROOT / "core/src/peerloom/_libp2p"
PUBLIC = ("peerloom", "peerloom.plugin", *(f"peerloom_{path.name}" for path in PLUGINS))


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


def _undocumented(thing: object) -> bool:
    return (isclass(thing) or isfunction(thing)) and not thing.__doc__
