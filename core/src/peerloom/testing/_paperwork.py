"""What of a plugin can be seen without running it: metadata, names, types and documentation."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_args, get_origin

import attrs
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from peerloom._commands import Command
from peerloom._config_file import load_config, resolve_settings
from peerloom._config_text import default_config_text
from peerloom._hookspecs import Hooks
from peerloom._judgement import judge

from ._subject import classes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ._subject import Subject

IMPORT_SECONDS: Final = 60.0
_BEYOND: Final = ("0", "99999")  # versions that no range holds
_EXPLAINED: Final = re.compile(r"^ +(\w+): ", re.MULTILINE)


def check_metadata(subject: Subject) -> None:
    """The entry point names a plugin of its own name, and the metadata says what it needs."""
    plugin = subject.point.load()
    name = getattr(getattr(plugin, "info", None), "name", None)
    assert name == subject.name, (
        f"the entry point is called {subject.name!r}, but info.name of the plugin is {name!r}"
    )
    metadata = subject.distribution.metadata
    assert metadata["Summary"], "pyproject.toml has no description"
    assert metadata["Requires-Python"], "pyproject.toml has no requires-python"
    required = map(Requirement, subject.distribution.requires or [])
    own = [one for one in required if canonicalize_name(one.name) == "peerloom"]
    own = [one for one in own if "extra ==" not in str(one.marker)]
    assert own, "it does not depend on peerloom: add it to the dependencies"
    assert all(map(_is_range, own)), (
        f"it depends on {own[0]}: write a range such as peerloom>=0.1,<0.2, so that a "
        "later peerloom with another plugin interface is not installed beside it"
    )


def check_import_is_light(subject: Subject) -> None:
    """What only lists or configures plugins does not pay for libp2p."""
    program = (
        f"import sys, importlib; importlib.import_module({subject.point.module!r}); "
        "print('libp2p' in sys.modules)"
    )
    done = subprocess.run(  # noqa: S603 - this interpreter, on a module that is installed
        [sys.executable, "-c", program],
        check=False,
        capture_output=True,
        text=True,
        timeout=IMPORT_SECONDS,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert done.returncode == 0, f"{subject.point.module} cannot be imported alone: {done.stderr}"
    assert done.stdout.split()[-1:] == ["False"], (
        f"importing {subject.point.module} imports libp2p, which takes a second: import what "
        "needs it where it is used"
    )


def check_hooks(subject: Subject) -> None:
    """A node takes the plugin, and its hooks are of the interface."""
    _, hooks = judge(subject.point.load(), subject.name)
    marked = (name for name in dir(subject.point.load()) if name.startswith("peerloom_"))
    misspelt = [name for name in marked if not hasattr(Hooks, name)]
    assert not misspelt, f"there are no such hooks: {', '.join(misspelt)}"
    assert hooks.config_sections() == hooks.config_sections(), (
        "peerloom_config_sections gives something else each time"
    )


def check_frozen(messages: Iterable[type[Any]]) -> None:
    """Nobody can change a command or an event that others have as well."""
    for one in messages:
        instance = object.__new__(one)
        try:
            setattr(instance, next(iter(_field_names(one)), "anything"), None)
        except AttributeError:
            continue
        raise AssertionError(f"{one.__name__} can be changed: decorate it with @attrs.frozen")


def check_typed(messages: Iterable[type[Any]]) -> None:
    """Type checkers know every field, and what a command answers."""
    for one in messages:
        typed = attrs.fields(one) if attrs.has(one) else ()
        vague = [field.name for field in typed if field.type in {None, Any, "Any"}]
        assert not vague, f"{one.__name__} does not say the type of {', '.join(vague)}"
        if issubclass(one, Command):
            assert _answer(one) not in {None, Any}, (
                f"{one.__name__} does not say what it answers: write class {one.__name__}"
                "(Command[int]), or Command[None]"
            )


def check_documented(messages: Iterable[type[Any]]) -> None:
    """Each has a docstring of its own that explains each field under ``Attributes:``."""
    for one in messages:
        assert vars(one).get("__doc__"), f"{one.__name__} has no docstring"
        _check_explained(one)


def check_configuration(subject: Subject) -> None:
    """What `peerloom init` writes, with every setting in effect, is read as the same."""
    sections = subject.loaded.sections
    before = {section.name: section.config_class() for section in sections}
    before |= resolve_settings(load_config(None, {}, subject.settings(), sections), sections)
    values = {name: _as_tables(instance) for name, instance in before.items()}
    with TemporaryDirectory() as folder:
        file = Path(folder) / "config.toml"
        file.write_text(default_config_text(sections, values), encoding="utf-8")
        after = resolve_settings(load_config(file, {}, {}, sections), sections)
    assert after == before, f"written and read again, {before} has become {after}"


def check_settings_documented(subject: Subject) -> None:
    """Each setting is explained: that becomes the comment which `peerloom init` writes."""
    for section in subject.loaded.sections:
        for one in classes(section.config_class):
            _check_explained(one)


def check_readme(subject: Subject) -> None:
    """The README names, in backticks, every command, event and setting."""
    offered = {one.__name__ for one in subject.messages} | subject.setting_names
    lacking = sorted(offered - subject.named_in_readme)
    assert not lacking, f"the README does not name {', '.join(f'`{name}`' for name in lacking)}"


def _is_range(own: Requirement) -> bool:
    exact = any(one.operator in {"==", "==="} and "*" not in one.version for one in own.specifier)
    return not (exact or any(map(own.specifier.contains, _BEYOND)))


def _check_explained(one: type[Any]) -> None:
    _, _, text = (one.__doc__ or "").partition("Attributes:")
    lacking = [name for name in _field_names(one) if name not in _EXPLAINED.findall(text)]
    assert not lacking, (
        f"the docstring of {one.__name__} does not explain {', '.join(lacking)}: write a line "
        'for each under "Attributes:"'
    )


def _field_names(one: type[Any]) -> list[str]:
    return [field.name for field in attrs.fields(one)] if attrs.has(one) else []


def _answer(command: type[Any]) -> Any:
    """The R of ``Command[R]``, or None."""
    for base in command.__mro__:
        for written in getattr(base, "__orig_bases__", ()):
            origin = get_origin(written)
            if isinstance(origin, type) and issubclass(origin, Command):
                [answer] = get_args(written)
                return None if isinstance(answer, TypeVar) else _or_none_type(answer)
    return None


def _or_none_type(answer: Any) -> Any:
    return type(None) if answer is None else answer


def _as_tables(instance: Any) -> dict[str, object]:
    values = {field.name: getattr(instance, field.name) for field in attrs.fields(type(instance))}
    return {
        name: _as_tables(value) if attrs.has(type(value)) else value
        for name, value in values.items()
    }
