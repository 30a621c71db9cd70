"""The fields of a request with their defaults."""

from __future__ import annotations

from typing import Final

from .channel import BadRequest, Fields

_REQUIRED: Final = object()


def required(*names: str) -> Fields:
    """Fields that must be given."""
    return dict.fromkeys(names, _REQUIRED)


def complete(given: Fields, defaults: Fields) -> Fields:
    """What is given, with the defaults of the rest; null stands for the default."""
    if unknown := given.keys() - defaults.keys():
        raise BadRequest(f"unknown fields {sorted(unknown)}")
    fields = {**defaults, **{name: value for name, value in given.items() if value is not None}}
    if missing := [name for name, value in fields.items() if value is _REQUIRED]:
        raise BadRequest(f"missing fields {missing}")
    return fields
