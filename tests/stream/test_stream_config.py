"""Settings of the section ``stream``."""

from __future__ import annotations

from typing import Any

import pytest

from peerloom import ConfigError
from peerloom_stream._config import StreamConfig


@pytest.mark.parametrize("setting", ["max_streams", "max_streams_per_peer"])
@pytest.mark.parametrize("value", [0, True, 1.5, "8"])
def test_bounds_are_whole_numbers_of_at_least_one(setting: str, value: Any) -> None:
    wrong: dict[str, Any] = {setting: value}
    with pytest.raises(ConfigError, match=setting):
        StreamConfig(**wrong)
