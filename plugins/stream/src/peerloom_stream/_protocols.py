"""The protocol ids that are served from the start."""

from __future__ import annotations

from typing import Final

STREAM_PROTOCOL: Final = "/calimero/stream/0.0.2"
"""Raw frames; what calimero-network 0.2.5 and later speaks first."""

OLD_STREAM_PROTOCOL: Final = "/calimero/stream/0.0.1"
"""Raw frames as well."""

JSON_STREAM_PROTOCOL: Final = "/calimero/stream/json/0.0.1"
"""Frames of JSON, as calimero-network's README describes them."""
