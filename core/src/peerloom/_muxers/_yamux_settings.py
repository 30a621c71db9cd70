"""YamuxSettings: the bounds of one yamux link."""

from __future__ import annotations

from typing import Final

from attrs import frozen

KIB = 1024
MIB = 1024 * KIB
# What those that begin to send although many others do share: each has room for a whole write, if
# that fits in. With room for half of it, a hundred streams were slower by a tenth.
CROWDED_SEND_BUFFER_BYTES: Final = 64 * MIB


@frozen
class YamuxSettings:
    """What a link allows the other side, and itself.

    Attributes:
        max_stream_window_bytes: how far the receive window of one stream may grow. It covers
            1 GBit/s at 130 ms; go-yamux allows as much.
        max_window_growth_bytes: by how much all windows of a link together may pass the 256 KiB
            that every stream starts with: the memory that readers who stop can cost.
        max_inbound_streams: streams of the other side at a time; more are reset.
        max_outbound_streams: streams of this side at a time. Peers of this library reset more,
            and rust-yamux ends a link that has more than 512 in both directions.
        accept_backlog: inbound streams that wait to be accepted; the specification asks for
            256, and more are reset.
        ack_backlog: outbound streams that wait for their acknowledgement; opening one more
            waits. The specification's figure.
        open_timeout_seconds: how long opening a stream may wait for the backlog to shrink.
        send_buffer_bytes: data taken over from senders and not yet on its way, for all streams
            of a link together; where many send, each may hold what one write carries, which is
            64 to 512 KiB by how quickly the system takes it, and less from 128 senders on.
        ping_interval_seconds: after so long without a sign of life, or with much data, the round
            trip is measured.
        ping_timeout_seconds: a link on which nothing at all arrives for so long after a ping
            has ended.
        linger_seconds: a stream that was closed here is reset after so long if the other side
            has not read it to its end, or does not end its own half.
        close_timeout_seconds: how long a farewell may take.
    """

    max_stream_window_bytes: int = 16 * MIB
    max_window_growth_bytes: int = 32 * MIB
    max_inbound_streams: int = 256
    max_outbound_streams: int = 256
    accept_backlog: int = 256
    ack_backlog: int = 256
    open_timeout_seconds: float = 10.0
    send_buffer_bytes: int = 1 * MIB
    ping_interval_seconds: float = 30.0
    ping_timeout_seconds: float = 20.0
    linger_seconds: float = 60.0
    close_timeout_seconds: float = 1.0
