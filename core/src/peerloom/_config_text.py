"""Writes a configuration file that names every setting, for ``peerloom init``."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
from multiaddr import Multiaddr

from ._config import Bootstrap, NetworkConfig
from ._config_file import network_setting_types
from ._peer_id import PeerId

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ._config import ConfigSection

_WIDTH: Final = 100
_HEAD: Final = """\
# Configuration of a Peerloom node. A setting that is commented out shows its default.
# PEERLOOM_… variables win over this file (PEERLOOM_PING__INTERVAL_SECONDS stands for
# interval_seconds of [ping]), and the command line wins over both. "" means: not set.
"""
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+\Z")
_ATTRIBUTE: Final = re.compile(r"^    (\w+): (.*(?:\n {6,}.*)*)", re.MULTILINE)


def default_config_text(
    sections: Iterable[ConfigSection], values: Mapping[str, object] | None = None
) -> str:
    """A TOML file with every setting, its meaning and its default, commented out.

    Args:
        sections: the sections that plugins read.
        values: settings to write in effect, nested as in the file.
    """
    values = values or {}
    defaults = {name: getattr(NetworkConfig(), name) for name in network_setting_types()}
    del defaults["settings"]
    defaults["bootstrap"] = Bootstrap()
    meanings = _meanings(NetworkConfig)
    lines = [_HEAD, *_settings(defaults, meanings, values)]
    for name, value in defaults.items():
        if attrs.has(type(value)):
            lines += _table(name, value, _first_line(type(value)), values)
    for section in sorted(sections, key=lambda section: section.name):
        summary = section.summary or _first_line(section.config_class)
        lines += _table(section.name, section.config_class(), summary, values)
    return "\n".join(lines) + "\n"


def _table(
    name: str, instance: attrs.AttrsInstance, summary: str, values: Mapping[str, object]
) -> Iterator[str]:
    given = values.get(name.rpartition(".")[2], {})
    given = given if isinstance(given, Mapping) else {}
    settings = {field.name: getattr(instance, field.name) for field in attrs.fields(type(instance))}
    yield ""
    yield from _comment(summary)
    yield f"[{name}]"
    yield from _settings(settings, _meanings(type(instance)), given)
    for key, value in settings.items():
        if attrs.has(type(value)):
            yield from _table(f"{name}.{key}", value, _first_line(type(value)), given)


def _settings(
    defaults: Mapping[str, Any], meanings: Mapping[str, str], given: Mapping[str, object]
) -> Iterator[str]:
    for name, default in defaults.items():
        if attrs.has(type(default)):
            continue
        yield from _comment(meanings.get(name, ""))
        if name in given:
            yield f"{name} = {toml_value(given[name])}"
        else:
            yield f"#{name} = {toml_value(default)}"


def _comment(text: str) -> list[str]:
    return textwrap.wrap(
        " ".join(text.split()), _WIDTH, initial_indent="# ", subsequent_indent="#   "
    )


def _first_line(documented: type[Any]) -> str:
    return (inspect.getdoc(documented) or "").partition("\n")[0]


def _meanings(config_class: type[Any]) -> dict[str, str]:
    _, _, attributes = (inspect.getdoc(config_class) or "").partition("\nAttributes:\n")
    return {match[1]: match[2] for match in _ATTRIBUTE.finditer(attributes)}


def toml_value(value: object) -> str:
    """A value as TOML writes it; raises TypeError for what no setting can be."""
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return repr(value)
        case None | str() | Path() | Multiaddr() | PeerId():
            return _quoted("" if value is None else str(value))
        case Mapping():
            return _inline_table(value)
        case list() | tuple():
            return f"[{', '.join(map(toml_value, value))}]"
        case _:
            return toml_value(_plain(value))


def _plain(value: Any) -> object:
    if isinstance(value, Enum):
        return value.value
    if attrs.has(type(value)):
        return {field.name: getattr(value, field.name) for field in attrs.fields(type(value))}
    raise TypeError(f"TOML cannot hold a {type(value).__name__}")


def _inline_table(values: Mapping[Any, object]) -> str:
    pairs = (f"{_key(str(key))} = {toml_value(value)}" for key, value in values.items())
    return "{" + ", ".join(pairs) + "}"


def _key(key: str) -> str:
    return key if _BARE_KEY.match(key) else _quoted(key)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{"".join(_escape(character) for character in escaped)}"'


def _escape(character: str) -> str:
    if ord(character) < 0x20 or ord(character) == 0x7F:
        return f"\\u{ord(character):04x}"
    return character
