"""Streams between two peers: framed messages, or plain bytes.

::

    streams = Streams(node.client)
    async with streams.accept("/my-app/1.0.0") as incoming:
        async for stream in incoming:
            async for message in stream:
                await stream.send(message)
"""

from __future__ import annotations

from ._client import Streams
from ._codecs import Codec, Message, MessageJsonCodec, RawCodec
from ._commands import AcceptBytes, AcceptStreams, OpenFramedStream
from ._config import StreamConfig
from ._events import StreamOpened
from ._framed_stream import FramedStream
from ._frames import MAX_FRAME_BYTES
from ._incoming import IncomingStreams
from ._protocols import JSON_STREAM_PROTOCOL, OLD_STREAM_PROTOCOL, STREAM_PROTOCOL

__all__ = [
    "JSON_STREAM_PROTOCOL",
    "MAX_FRAME_BYTES",
    "OLD_STREAM_PROTOCOL",
    "STREAM_PROTOCOL",
    "AcceptBytes",
    "AcceptStreams",
    "Codec",
    "FramedStream",
    "IncomingStreams",
    "Message",
    "MessageJsonCodec",
    "OpenFramedStream",
    "RawCodec",
    "StreamConfig",
    "StreamOpened",
    "Streams",
]
