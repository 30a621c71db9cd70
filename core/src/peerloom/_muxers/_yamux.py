"""Yamux: makes yamux links, for the swarm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._yamux_link import PROTOCOL_ID, YamuxLink
from ._yamux_settings import YamuxSettings

if TYPE_CHECKING:
    from peerloom._links import RawLink, Role, Secured
    from peerloom._runtime import Runtime


class Yamux:
    """The muxer `/yamux/1.0.0` of one node."""

    protocol_id = PROTOCOL_ID

    def __init__(self, runtime: Runtime, settings: YamuxSettings | None = None) -> None:
        self._runtime = runtime
        self._settings = settings or YamuxSettings()

    def upgrade(self, secured: Secured, raw: RawLink, role: Role) -> YamuxLink:
        """A link over the secured pipe; its `run` moves the bytes."""
        return YamuxLink(secured, raw, role, runtime=self._runtime, settings=self._settings)
