"""Muxers: many streams over one secured pipe."""

from ._yamux import Yamux
from ._yamux_link import PROTOCOL_ID
from ._yamux_settings import YamuxSettings

__all__ = ["PROTOCOL_ID", "Yamux", "YamuxSettings"]
