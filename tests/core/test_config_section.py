"""ConfigSection: which classes a section of the configuration may have."""

from __future__ import annotations

import pytest
from attrs import field, frozen

from peerloom._config import ConfigSection, at_least
from peerloom._errors import PluginError


@frozen
class Good:
    size: int = 1


class NotAttrs:
    pass


@frozen
class WithoutDefault:
    size: int


@frozen
class WithStrangeType:
    size: complex = 1j


@frozen
class WithTwoTypes:
    size: int | str = 1


@frozen
class WithMissingName:
    size: Nowhere = 1  # type: ignore[name-defined]  # noqa: F821


@frozen
class WithRefusedDefault:
    size: int = field(default=0, validator=at_least(1))


@pytest.mark.parametrize(
    ("name", "config_class", "message"),
    [
        ("Bad-Name", Good, "write lower case letters"),
        ("good", NotAttrs, "not an attrs class"),
        ("good", WithoutDefault, "size has no default"),
        ("good", WithStrangeType, "size: a file cannot hold a"),
        ("good", WithTwoTypes, "size: a file cannot hold a"),
        ("good", WithMissingName, "'Nowhere' is not defined"),
        ("good", WithRefusedDefault, "size must be at least 1, not 0"),
    ],
)
def test_section_that_no_file_can_hold_is_a_plugin_error(
    name: str, config_class: type, message: str
) -> None:
    with pytest.raises(PluginError, match=message):
        ConfigSection(name, config_class)
