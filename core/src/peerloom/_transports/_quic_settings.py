"""QuicSettings: the bounds of a node's QUIC connections."""

from __future__ import annotations

from typing import Final

from attrs import frozen

MIB: Final = 1024 * 1024


@frozen
class QuicSettings:
    """What a connection allows the other side, and itself.

    What a connection can cost in memory is what has arrived and is not read: at most
    `crowded_bytes` and twice `connection_window_bytes`, 16 MiB.

    Attributes:
        max_inbound_streams: streams of the other side at a time; QUIC holds it to that.
        stream_window_bytes: what one stream may have on its way. It covers 260 MBit/s at 60 ms.
        connection_window_bytes: what all streams of a connection may have on their way.
        pause_bytes: with so much arrived and not read, nothing more is taken from the engine.
        crowded_bytes: up to so much, streams that are read are let past one that is not.
        stopped_seconds: a stream that is not read and stops others for so long is reset.
        send_buffer_bytes: data of one stream taken over from its sender and not yet on its way.
        crowded_send_buffer_bytes: the same while the streams of a connection hold
            `max_send_buffer_bytes` together.
        max_send_buffer_bytes: see there.
        idle_timeout_seconds: a connection on which nothing arrives for so long has ended; the
            lower figure of the two sides counts. Pings keep it: a stream may be silent for ever.
        handshake_seconds: how long a handshake that others began may take.
        open_timeout_seconds: how long opening a stream may wait for the other side's limit.
        linger_seconds: a stream that was closed here is stopped after so long if the other side
            does not end its own half.
        linger_bytes: or after so many bytes that nobody reads.
        close_timeout_seconds: how long a farewell may take.
        max_half_open: handshakes of others under way; more are dropped.
        retry_half_open: with so many under way, others must prove their address first.
    """

    max_inbound_streams: int = 256
    stream_window_bytes: int = 2 * MIB
    connection_window_bytes: int = 4 * MIB
    pause_bytes: int = 1 * MIB
    crowded_bytes: int = 8 * MIB
    stopped_seconds: float = 10.0
    send_buffer_bytes: int = 1 * MIB
    crowded_send_buffer_bytes: int = 64 * 1024
    max_send_buffer_bytes: int = 4 * MIB
    idle_timeout_seconds: float = 30.0
    handshake_seconds: float = 10.0
    open_timeout_seconds: float = 10.0
    linger_seconds: float = 60.0
    linger_bytes: int = 256 * 1024
    close_timeout_seconds: float = 1.0
    max_half_open: int = 256
    retry_half_open: int = 32
