"""The gossipsub plugin passes what every plugin passes."""

from __future__ import annotations

from peerloom.testing import PluginConformance


class TestGossipsub(PluginConformance):
    plugin = "gossipsub"
