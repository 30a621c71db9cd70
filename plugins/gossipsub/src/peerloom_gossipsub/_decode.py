"""From bytes to an `Rpc`, bounded before anything is made of them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from peerloom import MalformedMessage

from ._protobuf import BYTES, VARINT, FieldReader, TooManyFields, key_of
from ._rpc import (
    MAX_ID_BYTES,
    MAX_TOPIC_BYTES,
    ExchangedPeer,
    IHave,
    MessageId,
    Prune,
    Rpc,
    RpcLimits,
    Subscription,
    WireMessage,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_EXCHANGED_PEERS: Final = 64  # of one PRUNE; go and rust send 16
MAX_MALFORMED_MESSAGES: Final = 64  # of one RPC; no honest peer forwards any
MAX_PEER_ID_BYTES: Final = 64
MAX_PEER_RECORD_BYTES: Final = 32_768

_SUBSCRIPTION, _MESSAGE, _CONTROL = (key_of(number, BYTES) for number in (1, 2, 3))
_IHAVE, _IWANT, _GRAFT, _PRUNE, _IDONTWANT = (key_of(number, BYTES) for number in range(1, 6))
_FIRST_BYTES, _SECOND_BYTES = key_of(1, BYTES), key_of(2, BYTES)
_FIRST_NUMBER, _THIRD_NUMBER = key_of(1, VARINT), key_of(3, VARINT)
_SOURCE, _DATA, _SEQUENCE, _TOPIC, _SIGNATURE, _KEY = range(1, 7)
_NOWHERE: Final = (0, 0)
FIELDS_A_STEP: Final = 1000  # half a millisecond; a frame may hold a hundred times that
# Beside the ids that are wanted: an entry is read in one go, and honest ones have some ten.
MAX_ENTRY_FIELDS: Final = 1000


def decode_rpc(frame: bytes, limits: RpcLimits) -> Rpc:
    """Read one RPC, in one go; see `RpcDecoder`."""
    decoder = RpcDecoder(frame, limits)
    for _ in decoder.steps():
        pass
    return decoder.rpc()


def decode_message(raw: bytes) -> WireMessage:
    """Read one message; raises `MalformedMessage`.

    Only one encoding of a message is accepted, the one that every protobuf library writes: known
    fields once each, in ascending order. Otherwise a message could be altered without breaking
    its signature for us while breaking it for others.
    """
    return _read_message(FieldReader(raw, 64), raw, 0, len(raw))


class RpcDecoder:
    """Reads one RPC, a step at a time. Walk through all `steps`, then take `rpc`.

    Both raise `MalformedMessage` when it is not protobuf, or holds too many fields. Single entries
    that are malformed or past a bound are left out and counted in `Rpc.skipped`.
    """

    def __init__(self, frame: bytes, limits: RpcLimits) -> None:
        self._frame = frame
        self._limits = limits
        self._reader = FieldReader(frame, limits.max_fields)
        self._pause_at = limits.max_fields - FIELDS_A_STEP
        self._control_bytes_left = limits.max_control_bytes
        self._skipped: Counter[str] = Counter()
        self._subscriptions: list[Subscription] = []
        self._messages: list[WireMessage] = []
        self._ihave: list[IHave] = []
        self._ihave_ids = 0
        self._iwant: list[MessageId] = []
        self._graft: list[str] = []
        self._prune: list[Prune] = []
        self._idontwant: list[MessageId] = []

    def steps(self) -> Iterator[None]:
        """Read it; between two steps others may have the loop."""
        for key, at, stop in self._reader.fields(0, len(self._frame)):
            if key == _MESSAGE:
                self._take_message(at, stop)
            elif key == _CONTROL and self._may_control(stop - at):
                for entry in self._reader.fields(at, stop):
                    self._take_control(*entry)
                    if self._step_is_over():
                        yield
            elif key == _SUBSCRIPTION:
                self._take_subscription(at, stop)
            if self._step_is_over():
                yield

    def rpc(self) -> Rpc:
        """What was read."""
        return Rpc(
            subscriptions=self._subscriptions,
            messages=self._messages,
            ihave=self._ihave,
            iwant=self._iwant,
            graft=self._graft,
            prune=self._prune,
            idontwant=self._idontwant,
            skipped=self._skipped,
        )

    def _step_is_over(self) -> bool:
        left = self._reader.fields_left
        if left > self._pause_at:
            return False
        self._pause_at = left - FIELDS_A_STEP
        return True

    def _take_message(self, at: int, stop: int) -> None:
        if stop - at > self._limits.max_message_bytes:
            self._skipped["message too large"] += 1
            return
        raw = self._frame[at:stop]
        try:
            self._messages.append(_read_message(self._reader, raw, at, stop))
        except _Flawed:
            self._skipped["message malformed"] += 1
            if self._skipped["message malformed"] > MAX_MALFORMED_MESSAGES:
                raise
        except TooManyFields:
            # Whoever forwards it may keep fields unknown to both, and is not to blame.
            self._skipped["message of too many fields"] += 1
            if self._reader.fields_left < 0:
                raise

    def _take_subscription(self, at: int, stop: int) -> None:
        if len(self._subscriptions) >= self._limits.max_entries:
            self._skipped["subscriptions"] += 1
            return
        subscribed, topic = False, None
        for key, start, end in self._reader.fields(at, stop, MAX_ENTRY_FIELDS):
            if key == _FIRST_NUMBER:
                subscribed = self._reader.varint(start, end)[0] != 0
            elif key == _SECOND_BYTES:
                topic = self._topic(start, end)
        if topic is None:
            self._skipped["topic"] += 1
            return
        self._subscriptions.append(Subscription(topic, subscribed))

    def _may_control(self, size: int) -> bool:
        self._control_bytes_left -= size
        if self._control_bytes_left >= 0:
            return True
        self._skipped["control bytes"] += 1
        return False

    def _take_control(self, key: int, start: int, end: int) -> None:
        if key == _IHAVE:
            self._take_ihave(start, end)
        elif key == _IWANT:
            self._iwant += self._ids(start, end, _FIRST_BYTES, len(self._iwant))
        elif key == _IDONTWANT:
            self._idontwant += self._ids(start, end, _FIRST_BYTES, len(self._idontwant))
        elif key == _GRAFT:
            self._take_graft(start, end)
        elif key == _PRUNE:
            self._take_prune(start, end)

    def _take_ihave(self, at: int, stop: int) -> None:
        if self._is_full(self._ihave):
            return
        topic = self._named_topic(at, stop)
        if topic is None:
            return
        if ids := list(self._ids(at, stop, _SECOND_BYTES, self._ihave_ids)):
            self._ihave_ids += len(ids)
            self._ihave.append(IHave(topic, ids))

    def _take_graft(self, at: int, stop: int) -> None:
        topic = None if self._is_full(self._graft) else self._named_topic(at, stop)
        if topic is not None:
            self._graft.append(topic)

    def _take_prune(self, at: int, stop: int) -> None:
        topic = None if self._is_full(self._prune) else self._named_topic(at, stop)
        if topic is None:
            return
        peers: list[ExchangedPeer | None] = []
        backoff = None
        for key, start, end in self._reader.fields(at, stop, MAX_ENTRY_FIELDS):
            if key == _SECOND_BYTES and len(peers) < MAX_EXCHANGED_PEERS:
                peers.append(self._exchanged_peer(start, end))
            elif key == _THIRD_NUMBER:
                backoff = self._reader.varint(start, end)[0]
        self._prune.append(Prune(topic, backoff, [peer for peer in peers if peer is not None]))

    def _exchanged_peer(self, at: int, stop: int) -> ExchangedPeer | None:
        peer, record = b"", None
        for key, start, end in self._reader.fields(at, stop, MAX_ENTRY_FIELDS):
            if key == _FIRST_BYTES and end - start <= MAX_PEER_ID_BYTES:
                peer = self._frame[start:end]
            elif key == _SECOND_BYTES and end - start <= MAX_PEER_RECORD_BYTES:
                record = self._frame[start:end]
        return ExchangedPeer(peer, record) if peer else None

    def _ids(self, at: int, stop: int, wanted: int, taken: int) -> Iterator[MessageId]:
        for key, start, end in self._reader.fields(
            at, stop, self._limits.max_ids + MAX_ENTRY_FIELDS
        ):
            if key != wanted:
                continue
            if taken >= self._limits.max_ids:
                self._skipped["ids"] += 1
                return
            taken += 1
            if 0 < end - start <= MAX_ID_BYTES:
                yield self._frame[start:end]

    def _is_full(self, entries: list[IHave] | list[str] | list[Prune]) -> bool:
        if len(entries) < self._limits.max_entries:
            return False
        self._skipped["control entries"] += 1
        return True

    def _named_topic(self, at: int, stop: int) -> str | None:
        for key, start, end in self._reader.fields(at, stop, MAX_ENTRY_FIELDS):
            if key == _FIRST_BYTES:
                topic = self._topic(start, end)
                break
        else:
            topic = None
        if topic is None:
            self._skipped["topic"] += 1
        return topic

    def _topic(self, start: int, end: int) -> str | None:
        if end - start > MAX_TOPIC_BYTES:
            return None
        try:
            return self._frame[start:end].decode()
        except UnicodeDecodeError:
            return None


class _Flawed(MalformedMessage):
    """A message within a sound RPC that nobody may forward."""


def _read_message(reader: FieldReader, raw: bytes, at: int, stop: int) -> WireMessage:
    parts: dict[int, bytes] = {}
    unsigned, last, before, offset = _NOWHERE, 0, at, at
    for key, start, end in reader.fields(at, stop, MAX_ENTRY_FIELDS):
        number = key >> 3
        if number <= _KEY:
            if number <= last or key & 7 != BYTES:
                raise _Flawed("a message's fields are out of order, or of another type")
            parts[number] = raw[start - offset : end - offset]
            if number >= _SIGNATURE:
                unsigned = (unsigned[0] or before - offset, end - offset)
        last, before = number, end
    return WireMessage(
        raw=raw,
        topic=_topic_of(parts),
        data=parts.get(_DATA, b""),
        source=parts.get(_SOURCE),
        sequence=parts.get(_SEQUENCE),
        signature=parts.get(_SIGNATURE),
        key=parts.get(_KEY),
        unsigned=unsigned,
    )


def _topic_of(parts: dict[int, bytes]) -> str:
    topic = parts.get(_TOPIC)
    if topic is None or len(topic) > MAX_TOPIC_BYTES:
        raise _Flawed("a message names no topic, or too long a one")
    try:
        return topic.decode()
    except UnicodeDecodeError:
        raise _Flawed("a message's topic is not UTF-8") from None
