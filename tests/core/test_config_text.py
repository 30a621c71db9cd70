"""Configuration as a file: what is written loads as what it was."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

import attrs
from hypothesis import given
from hypothesis import strategies as st
from multiaddr import Multiaddr

from peerloom._config import NetworkConfig
from peerloom._config_text import default_config_text, toml_value
from tests.core.config_kit import HERE, SECTION, Everything, Inner, Policy, load, settings_of

if TYPE_CHECKING:
    from pathlib import Path


def test_default_text_loads_as_the_defaults(tmp_path: Path) -> None:
    config = load(default_config_text([SECTION]), tmp_path)

    assert settings_of(config) == Everything()
    assert attrs.evolve(config, settings={}) == NetworkConfig()


def test_default_text_with_every_setting_in_effect_loads_as_the_defaults(tmp_path: Path) -> None:
    text = re.sub(r"^#(?! )", "", default_config_text([SECTION]), flags=re.MULTILINE)

    config = load(text, tmp_path)

    assert settings_of(config) == Everything()
    assert attrs.evolve(config, settings={}) == NetworkConfig()


def test_default_text_says_what_settings_mean_and_takes_values(tmp_path: Path) -> None:
    values = {"listen": [HERE], "everything": {"size": 7, "inner": {"depth": 9}}}

    text = default_config_text([SECTION], values)
    config = load(text, tmp_path)

    assert "# how often, which needs a second line.\n#interval_seconds = 15.0\n" in text
    assert "# All types.\n[everything]" in text
    assert config.listen == (Multiaddr(HERE),)
    assert settings_of(config) == Everything(size=7, inner=Inner(9))


@given(
    st.recursive(
        st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_toml_value_is_read_back_by_the_standard_library(value: object) -> None:
    assert tomllib.loads(f"value = {toml_value(value)}") == {"value": value}


@given(
    st.builds(
        Everything,
        interval_seconds=st.floats(0.1, 1e9),
        size=st.integers(0, 2**60),
        on=st.booleans(),
        label=st.text(),
        names=st.lists(st.text()).map(tuple),
        sizes=st.lists(st.integers(0, 2**60)),
        mode=st.sampled_from(["client", "server"]),
        policy=st.sampled_from(Policy),
        inners=st.lists(st.builds(Inner, st.integers(0, 99))).map(tuple),
        weights=st.dictionaries(st.text(), st.floats(0, 9)),
    )
)
def test_settings_come_back_from_the_file_that_was_written(settings: Everything) -> None:
    values = attrs.asdict(settings, recurse=False)
    text = default_config_text([SECTION], {"everything": values})

    tree = tomllib.loads(text)["everything"]
    config = NetworkConfig(settings={"everything": tree})

    assert settings_of(config) == settings
