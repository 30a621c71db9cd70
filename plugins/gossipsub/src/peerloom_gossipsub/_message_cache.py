"""The messages of the last heartbeats: what IHAVE announces and IWANT is answered from.

Source: libp2p/specs, gossipsub v1.0, message cache.
"""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from peerloom import PeerId

    from ._rpc import MessageId, WireMessage

# What one takes beside its bytes: its fields and ids are objects, each with a head of its own. Of
# messages of a hundred bytes, this is nearly all that they take.
OVERHEAD_BYTES: Final = 1024


class _Cached:
    __slots__ = ("message", "sent")

    def __init__(self, message: WireMessage) -> None:
        self.message = message
        self.sent: dict[PeerId, int] = {}

    @property
    def size(self) -> int:
        return OVERHEAD_BYTES + len(self.message.raw) + len(self.message.data)


class MessageCache:
    """Messages by id, in windows of one heartbeat each."""

    def __init__(self, windows: int, gossip_windows: int, max_bytes: int) -> None:
        """Keep messages for `windows` heartbeats and announce those of the last `gossip_windows`.

        Past `max_bytes` the oldest are given up early.
        """
        self._gossip_windows = gossip_windows
        self._max_bytes = max_bytes
        self._messages: dict[MessageId, _Cached] = {}
        self._windows: deque[dict[str, list[MessageId]]] = deque(
            (defaultdict(list) for _ in range(windows)), maxlen=windows
        )
        self._bytes = 0
        self.given_up_early = 0

    def put(self, message_id: MessageId, message: WireMessage) -> None:
        """Keep a message; the first one under its id stays."""
        if message_id in self._messages or not self._windows:
            return
        self._messages[message_id] = cached = _Cached(message)
        self._windows[0][message.topic].append(message_id)
        self._bytes += cached.size
        while self._bytes > self._max_bytes:
            self._forget(next(iter(self._messages)))
            self.given_up_early += 1

    def get_for(self, peer: PeerId, message_id: MessageId, max_times: int) -> WireMessage | None:
        """The message, if it is there and this peer has not had it `max_times` from here."""
        cached = self._messages.get(message_id)
        if cached is None or cached.sent.get(peer, 0) >= max_times:
            return None
        cached.sent[peer] = cached.sent.get(peer, 0) + 1
        return cached.message

    def gossip_ids(self, topic: str) -> list[MessageId]:
        """Ids of the topic's messages of the last heartbeats, the newest heartbeat first."""
        windows = list(self._windows)[: self._gossip_windows]
        listed = (each for window in windows for each in window.get(topic, ()))
        return [message_id for message_id in listed if message_id in self._messages]

    def shift(self) -> None:
        """A heartbeat has passed: begin a new window and forget the oldest."""
        if not self._windows:
            return
        for ids in self._windows[-1].values():
            for message_id in ids:
                if message_id in self._messages:
                    self._forget(message_id)
        self._windows.appendleft(defaultdict(list))

    def __contains__(self, message_id: MessageId) -> bool:
        return message_id in self._messages

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def bytes(self) -> int:
        """What the messages take."""
        return self._bytes

    def _forget(self, message_id: MessageId) -> None:
        self._bytes -= self._messages.pop(message_id).size
