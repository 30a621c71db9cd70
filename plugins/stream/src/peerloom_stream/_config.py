"""Settings of the section ``stream``."""

from __future__ import annotations

from attrs import field, frozen
from attrs.validators import gt

from peerloom.plugin import whole_at_least

from ._protocols import JSON_STREAM_PROTOCOL, OLD_STREAM_PROTOCOL, STREAM_PROTOCOL


@frozen
class StreamConfig:
    """How streams of others are served.

    Attributes:
        raw_protocols: protocol ids served from the start, whose frames carry raw bytes.
        json_protocols: protocol ids served from the start, whose frames carry JSON.
        claim_seconds: a stream that came in while nobody accepts its protocol, and that no
            listener of StreamOpened uses within this time, is reset.
        max_streams_per_peer: streams of one peer under one protocol at a time.
        max_streams: streams of all peers under one protocol at a time.
    """

    raw_protocols: tuple[str, ...] = field(
        default=(STREAM_PROTOCOL, OLD_STREAM_PROTOCOL), converter=tuple[str, ...]
    )
    json_protocols: tuple[str, ...] = field(
        default=(JSON_STREAM_PROTOCOL,), converter=tuple[str, ...]
    )
    claim_seconds: float = field(default=30.0, validator=gt(0))
    max_streams_per_peer: int = field(default=256, validator=whole_at_least(1))
    max_streams: int = field(default=1024, validator=whole_at_least(1))
