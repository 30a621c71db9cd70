"""LinkStreams: the streams of a link, to be told what has happened on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._yamux_session import YamuxSession
    from ._yamux_state import StreamState
    from ._yamux_stream import YamuxStream


class LinkStreams:
    """Those that the session has not forgotten."""

    def __init__(self, session: YamuxSession) -> None:
        self._session = session
        self._streams: dict[int, YamuxStream] = {}

    def add(self, stream: YamuxStream, state: StreamState) -> None:
        """One more, unless it is over already."""
        if not state.forgotten:
            self._streams[state.id] = stream

    def wake_touched(self) -> int:
        """Wake those on which something has happened since the last call; how many there were."""
        touched = self._session.take_touched()
        for state in touched:
            stream = self._streams.get(state.id)
            if stream is not None:
                stream.wake()
                if state.forgotten:
                    del self._streams[state.id]
        return len(touched)

    def wake_all(self) -> None:
        """The link ends."""
        for stream in self._streams.values():
            stream.wake()

    def clear(self) -> None:
        """The link is over, and is kept from here no longer."""
        self._streams.clear()
