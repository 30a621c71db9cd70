"""The proof that an engine does what libp2p needs: handshakes in memory, before it is relied on.

It takes a few milliseconds, and spares the first connection what a library does once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from ._quic_engine import EngineFailed, HandshakeDone, QuicEngines, StreamData, StreamStopped
from ._quic_packets import long_header

if TYPE_CHECKING:
    from ._quic_engine import EngineEvent, QuicEngine, SocketAddress

_DIALER: Final[SocketAddress] = ("127.0.0.1", 1)
_LISTENER: Final[SocketAddress] = ("127.0.0.1", 2)
_ROUNDS: Final = 20  # a handshake takes three
_STEP_SECONDS: Final = 0.01
_WORDS: Final = b"self-test"


class SelfTestFailed(Exception):
    """The engine does not do what it must; the text says what."""


class ProvableEngines(QuicEngines, Protocol):
    """Engines that can also dial without a certificate, to be refused."""

    def dial_anonymously(self, remote: SocketAddress, now: float) -> QuicEngine:
        """A dialler that shows no certificate."""
        ...


class MemoryPair:
    """Two engines joined without a network.

    Attributes:
        dialer, listener: the engines.
        seen: the events of both, by engine.
    """

    def __init__(self, dialer: QuicEngine, listening: QuicEngines) -> None:
        self.now = 0.0
        self.dialer = dialer
        self._first = dialer.datagrams_to_send(self.now)
        header = long_header(self._first[0][0])
        assert header is not None
        self.listener = listening.accept(header.destination, None)
        self.seen: dict[QuicEngine, list[EngineEvent]] = {self.dialer: [], self.listener: []}

    def exchange(self) -> None:
        """Carry datagrams until both have nothing more to say."""
        for data, _ in self._first:
            self.listener.receive(data, len(data), _DIALER, self.now)
        self._first = []
        for _ in range(_ROUNDS):
            self.now += _STEP_SECONDS
            moved = self._carry(self.listener, self.dialer, _LISTENER)
            moved = self._carry(self.dialer, self.listener, _DIALER) or moved
            for engine, seen in self.seen.items():
                while (event := engine.next_event()) is not None:
                    seen.append(event)
            if not moved:
                return

    def _carry(self, source: QuicEngine, target: QuicEngine, remote: SocketAddress) -> bool:
        datagrams = source.datagrams_to_send(self.now)
        for data, _ in datagrams:
            target.receive(data, len(data), remote, self.now)
        timer = source.timer()
        if timer is not None and timer <= self.now:
            source.handle_timer(self.now)
        return bool(datagrams)


def prove(engines: ProvableEngines) -> None:
    """Raise `SelfTestFailed` unless the engines keep what they must."""
    try:
        _prove_mutual(engines)
        _prove_refusal(engines)
    except (EngineFailed, AttributeError, TypeError) as error:
        raise SelfTestFailed(repr(error)) from error


def _prove_mutual(engines: QuicEngines) -> None:
    pair = MemoryPair(engines.dial(_LISTENER, None, 0.0), engines)
    pair.exchange()
    for engine, seen in pair.seen.items():
        if HandshakeDone() not in seen or engine.public_key is None:
            raise SelfTestFailed("a handshake with certificates on both sides does not succeed")
    stream_id = pair.dialer.open_stream()
    if stream_id is None:
        raise SelfTestFailed("no stream can be opened")
    pair.dialer.send(stream_id, _WORDS, end=True)
    pair.exchange()
    if StreamData(stream_id, _WORDS, end=True) not in pair.seen[pair.listener]:
        raise SelfTestFailed("a stream does not carry its bytes")
    _prove_other_calls(pair)


def _prove_other_calls(pair: MemoryPair) -> None:
    """Whatever a connection will call is there: another version of a library may lack it."""
    dialer, listener = pair.dialer, pair.listener
    stream_id = dialer.open_stream()
    if stream_id is None:
        raise SelfTestFailed("no second stream can be opened")
    listener.hold(on=True)
    dialer.send(stream_id, _WORDS)
    pair.exchange()
    listener.let_pass()
    listener.hold(on=False)
    pair.exchange()
    if StreamData(stream_id, _WORDS, end=False) not in pair.seen[listener]:
        raise SelfTestFailed("a stream that was held does not go on")
    listener.consumed(stream_id, len(_WORDS))
    dialer.ping()
    dialer.stop(stream_id)
    dialer.reset(stream_id)
    pair.exchange()
    if StreamStopped(stream_id, ours=False) not in pair.seen[listener]:
        raise SelfTestFailed("a reset is not told")
    if dialer.unsent() or dialer.unsent(stream_id) or not dialer.flushed:
        raise SelfTestFailed("what has arrived counts as unsent")
    if dialer.round_trip_seconds is None or not dialer.idle_timeout_seconds or dialer.held_back:
        raise SelfTestFailed("a connection does not tell its state")
    dialer.close(0, "")
    pair.exchange()
    if listener.ending is None or not (listener.ending.by_peer and listener.ending.clean):
        raise SelfTestFailed("a close is not told")


def _prove_refusal(engines: ProvableEngines) -> None:
    pair = MemoryPair(engines.dial_anonymously(_LISTENER, 0.0), engines)
    pair.exchange()
    if HandshakeDone() in pair.seen[pair.listener] or pair.listener.ending is None:
        raise SelfTestFailed("a dialler without a certificate is not refused")
