"""Numbers: what a node keeps for others, over restarts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._errors import CounterRefused

if TYPE_CHECKING:
    from peerloom.plugin import StoreNamespace

    from ._config import CounterConfig


class Numbers:
    """A number per name, in the node's store; knows nothing of peers and streams."""

    def __init__(self, config: CounterConfig, kept: StoreNamespace) -> None:
        """Take the bounds, and where the numbers are kept."""
        self._config = config
        self._kept = kept
        self._values = {name: int.from_bytes(value) for name, value in kept.items()}

    def value(self, name: str) -> int:
        """What it is; 0 when nobody has counted yet."""
        return self._values.get(name, 0)

    def add(self, name: str, by: int) -> int:
        """Count on; gives the new value. Raises `CounterRefused`."""
        largest, most = self._config.max_value, self._config.max_names
        value = self.value(name) + by
        if value > largest:
            raise CounterRefused(f"it would be {value}, over the largest, {largest}")
        if name not in self._values and len(self._values) >= most:
            raise CounterRefused(f"it keeps {most} numbers at most")
        self._values[name] = value
        self._kept.put(name, value.to_bytes(8))
        return value
