"""The plugin passes what every plugin passes."""

from __future__ import annotations

from peerloom.testing import PluginConformance


class TestConformance(PluginConformance):
    """See the docstrings of its tests."""

    plugin = "counter"
