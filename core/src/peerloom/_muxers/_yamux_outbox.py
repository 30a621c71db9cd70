"""Outbox: what a session has to send, and in which order."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from ._yamux_frames import DATA, FIN, RST, WINDOW_UPDATE, encode_header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from peerloom._links import Buffer

    from ._yamux_state import StreamState


# What a stream that has little to say may say before those that have much, which would else let it
# wait for half a megabyte from each of them; and of which part of a write all such streams may, as
# long as the others fill the rest.
SMALL_TURN_BYTES: Final = 4 * 1024
SMALL_TURNS_PART: Final = 4


class Outbox:
    """Orders frames: the session's own, then those that open, credit and reset streams, then data.

    Data goes round the streams, one frame a turn: first those that have little, then those that
    have much, up to a whole write each. Each stream stands at most once in each queue, so what
    waits here is bounded by the number of streams; `control` is bounded by its users.

    Attributes:
        control: frames of the session itself, and refusals of streams.
    """

    def __init__(self) -> None:
        self.control: list[bytes] = []
        self._moved: dict[int, StreamState] = {}
        self._settled: list[StreamState] = []
        self._urgent: list[StreamState] = []
        self._small: deque[StreamState] = deque()
        self._large: deque[StreamState] = deque()

    def put_urgent(self, stream: StreamState) -> None:
        """Let the stream say what it has to say beside data."""
        if not stream.in_urgent:
            stream.in_urgent = True
            self._urgent.append(stream)

    def put_ready(self, stream: StreamState) -> None:
        """Give the stream a turn if it has data or its end to send."""
        if not stream.in_ready and stream.has_output:
            stream.in_ready = True
            is_small = stream.outgoing.size <= SMALL_TURN_BYTES
            (self._small if is_small else self._large).append(stream)

    def clear(self) -> None:
        """Drop everything."""
        self.control.clear()
        self._urgent.clear()
        self._small.clear()
        self._large.clear()

    @property
    def has_output(self) -> bool:
        """Whether `pull` may give something."""
        return bool(self.control or self._urgent or self._small or self._large)

    def pull(
        self, credit: Callable[[StreamState], int], room: int
    ) -> tuple[list[Buffer], Iterable[StreamState], list[StreamState]]:
        """The next write, with `room` bytes of data; `credit` tells what a stream has to grant.

        Gives what to send, the streams that gave data for it, and those whose RST or FIN is in it.
        """
        out: list[Buffer] = [*self.control]
        self.control.clear()
        if self._urgent:
            self._frame_all_urgent(credit, out)
        room -= self._frame_turns(self._small, room // SMALL_TURNS_PART, SMALL_TURN_BYTES, out)
        room -= self._frame_turns(self._large, room, room, out)
        self._frame_turns(self._small, room, SMALL_TURN_BYTES, out)
        moved, settled = self._moved.values(), self._settled
        self._moved, self._settled = {}, []
        return out, moved, settled

    def _frame_all_urgent(self, credit: Callable[[StreamState], int], out: list[Buffer]) -> None:
        urgent, self._urgent = self._urgent, []
        for stream in urgent:
            self._frame_urgent(stream, credit, out)

    def _frame_urgent(
        self, stream: StreamState, credit: Callable[[StreamState], int], out: list[Buffer]
    ) -> None:
        stream.in_urgent = False
        if stream.reset_due:
            self._frame_reset(stream, out)
        elif stream.reset is None:
            amount = credit(stream)
            if amount or not (stream.announced or stream.inbound):
                flags = stream.opening_flag()
                out.append(encode_header(WINDOW_UPDATE, flags, stream.id, amount))

    def _frame_reset(self, stream: StreamState, out: list[Buffer]) -> None:
        stream.reset_due = False
        self._settled.append(stream)
        # py-libp2p overlooks RST beside ACK; a stream that was never announced needs neither.
        if stream.inbound or stream.announced:
            out.append(encode_header(WINDOW_UPDATE, RST, stream.id, 0))

    def _frame_turns(
        self, queue: deque[StreamState], room: int, most: int, out: list[Buffer]
    ) -> int:
        """Give streams their turns until so many bytes are framed; how many that are."""
        framed = 0
        while queue and framed < room:
            stream = queue.popleft()
            stream.in_ready = False
            framed += self._frame_data(stream, min(room - framed, most), out)
            if stream.outgoing.size:
                self.put_ready(stream)
        return framed

    def _frame_data(self, stream: StreamState, room: int, out: list[Buffer]) -> int:
        size = min(stream.outgoing.size, stream.send_window, room)
        if size:
            stream.send_window -= size
            out.append(encode_header(DATA, stream.opening_flag(), stream.id, size))
            out += stream.outgoing.take(size)
            self._moved[stream.id] = stream
        if stream.eof_due and not stream.outgoing.size and stream.has_output:
            self._frame_end(stream, out)
        return size

    def _frame_end(self, stream: StreamState, out: list[Buffer]) -> None:
        # In a frame of its own: js-libp2p drops the data beside a FIN, py-libp2p a FIN beside
        # an ACK.
        flags = stream.opening_flag()
        if flags:
            out.append(encode_header(WINDOW_UPDATE, flags, stream.id, 0))
        out.append(encode_header(WINDOW_UPDATE, FIN, stream.id, 0))
        stream.eof_sent = True
        self._settled.append(stream)
