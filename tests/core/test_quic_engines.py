"""The QUIC engines in memory, and the choice between them."""

from __future__ import annotations

import logging
import random

import pytest
from qh3 import tls
from qh3._hazmat import Buffer

from peerloom._errors import HandshakeFailed, LinkClosed, MuxerViolation, WrongPeerId
from peerloom._transports import QuicSettings
from peerloom._transports import _quic_engines as choice
from peerloom._transports._quic_credentials import Credentials
from peerloom._transports._quic_ending import cause_of
from peerloom._transports._quic_engine import Ending, EngineFailed, HandshakeDone, StreamData
from peerloom._transports._quic_engines import engines_for
from peerloom._transports._quic_selftest import MemoryPair, SelfTestFailed, prove

from .quic_kit import ENGINES, PAIRS, engines
from .security_kit import ALICE, BOB, MALLORY, RUNTIME

TO_BOB = ("127.0.0.1", 2)
MADE = {(name, who): engines(name, who) for name in ENGINES for who in (ALICE, BOB)}


def meet(dialing: str, listening: str, *, expected=None, anonymously: bool = False) -> MemoryPair:
    alice = MADE[dialing, ALICE]
    if anonymously:
        dialer = alice.dial_anonymously(TO_BOB, 0.0)
    else:
        dialer = alice.dial(TO_BOB, expected, 0.0)
    pair = MemoryPair(dialer, MADE[listening, BOB])
    pair.exchange()
    return pair


@pytest.mark.parametrize("names", PAIRS, ids="-".join)
def test_engines_prove_who_they_are_to_each_other(names) -> None:
    pair = meet(*names, expected=BOB.peer_id)
    assert pair.dialer.public_key == BOB.public_key
    assert pair.listener.public_key == ALICE.public_key
    assert all(HandshakeDone() in seen for seen in pair.seen.values())
    assert pair.dialer.ending is pair.listener.ending is None


@pytest.mark.parametrize("names", PAIRS, ids="-".join)
def test_bytes_and_ends_cross(names) -> None:
    pair = meet(*names)
    stream_id = pair.dialer.open_stream()
    assert stream_id == 0
    assert pair.dialer.send(stream_id, b"there", end=True)
    pair.exchange()
    assert StreamData(0, b"there", end=True) in pair.seen[pair.listener]
    assert pair.listener.send(stream_id, memoryview(b"back"), end=True)
    pair.exchange()
    assert StreamData(0, b"back", end=True) in pair.seen[pair.dialer]
    assert pair.dialer.unsent() == pair.listener.unsent() == 0


@pytest.mark.parametrize("names", PAIRS, ids="-".join)
def test_a_wrong_peer_fails_the_handshake_on_both_sides(names) -> None:
    pair = meet(*names, expected=MALLORY.peer_id)
    assert isinstance(pair.dialer.failure, WrongPeerId)
    assert pair.listener.ending is not None
    assert pair.listener.ending.by_peer
    assert pair.listener.ending.code == 0x12A  # bad_certificate


@pytest.mark.parametrize("names", PAIRS, ids="-".join)
def test_a_missing_certificate_fails_the_handshake_on_both_sides(names) -> None:
    pair = meet(*names, anonymously=True)
    assert HandshakeDone() not in pair.seen[pair.listener]
    for engine, by_peer in ((pair.dialer, True), (pair.listener, False)):
        assert engine.ending is not None
        assert (engine.ending.code, engine.ending.by_peer) == (0x174, by_peer)


def test_qh3_takes_no_compressed_certificate_which_may_unpack_to_anything() -> None:
    context = MADE["qh3", ALICE].dial(TO_BOB, None, 0.0)._connection.tls
    assert context._compress_certificate_algorithms is None
    with pytest.raises(tls.AlertUnexpectedMessage):
        context._client_handle_compressed_certificate(Buffer(data=b""))


@pytest.mark.parametrize("names", PAIRS, ids="-".join)
def test_a_close_is_told_with_its_words(names) -> None:
    pair = meet(*names)
    pair.dialer.close(7, "enough")
    pair.exchange()
    ending = pair.listener.ending
    assert ending is not None
    assert (ending.code, ending.frame_type, ending.reason) == (7, None, "enough")
    assert ending.by_peer


@pytest.mark.parametrize("name", ENGINES)
def test_damaged_datagrams_end_nothing_but_their_connection(name: str) -> None:
    rng = random.Random(4)
    for _ in range(60):
        dialer = MADE[name, ALICE].dial(TO_BOB, None, 0.0)
        pair = MemoryPair(dialer, MADE[name, BOB])
        for data, _ in pair._first:
            pair.listener.receive(data, len(data), ("127.0.0.1", 1), 0.0)
        for data, _ in pair.listener.datagrams_to_send(0.0):
            damaged = bytearray(data)
            for _ in range(rng.randrange(1, 5)):
                damaged[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            cut = bytes(damaged[: rng.randrange(1, len(data) + 1)])
            dialer.receive(cut, len(cut), TO_BOB, 0.01)
        dialer.datagrams_to_send(0.02)
    assert meet(name, name).dialer.public_key == BOB.public_key


# --- the choice ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ENGINES)
def test_both_engines_pass_the_self_test(name: str) -> None:
    prove(MADE[name, ALICE])


def test_qh3_is_chosen() -> None:
    assert engines_for(Credentials.of(ALICE, RUNTIME), QuicSettings()).name.startswith("qh3 ")


@pytest.mark.parametrize(
    "defect", [SelfTestFailed("it lets strangers in"), TypeError("no such argument")]
)
def test_aioquic_serves_if_qh3_fails_the_self_test_and_says_so(
    defect: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_engines: object) -> None:
        raise defect

    monkeypatch.setattr(choice, "prove", fail)
    with caplog.at_level(logging.WARNING, "peerloom.quic"):
        chosen = engines_for(Credentials.of(ALICE, RUNTIME), QuicSettings())
    assert chosen.name.startswith("aioquic ")
    assert str(defect) in caplog.text
    assert "qh3>=2.1" in caplog.text


def test_an_engine_that_lets_anybody_in_fails_the_self_test() -> None:
    class Careless:
        name = "careless"

        def __getattr__(self, name: str):
            return getattr(MADE["qh3", ALICE], name)

        def dial_anonymously(self, remote, now):
            return MADE["qh3", BOB].dial(remote, None, now)

    with pytest.raises(SelfTestFailed, match="without a certificate is not refused"):
        prove(Careless())


def test_an_engine_that_raises_fails_the_self_test() -> None:
    class Broken:
        name = "broken"

        def dial(self, *_args):
            raise EngineFailed("out of order")

    with pytest.raises(SelfTestFailed, match="out of order"):
        prove(Broken())  # type: ignore[arg-type]


# --- endings -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ending", "kind", "text"),
    [
        (Ending(0x12A, 6, "expired", by_peer=True), HandshakeFailed, "alert 42 (bad certificate)"),
        (Ending(0x178, 6, "", by_peer=False), HandshakeFailed, "no application protocol"),
        (Ending(2, 0, "", by_peer=True), LinkClosed, "no room"),
        (Ending(1, 0, "Idle timeout", by_peer=False), LinkClosed, "silent"),
        (Ending(9, None, "because", by_peer=True), LinkClosed, "code 0x9: 'because'"),
        (Ending(4, 8, "too many", by_peer=False), MuxerViolation, "code 0x4: 'too many'"),
        (Ending(0xA, 8, "your fault", by_peer=True), LinkClosed, "your fault"),
    ],
)
def test_an_ending_says_whose_fault_it_was(ending: Ending, kind: type, text: str) -> None:
    cause = cause_of(ending, established=True)
    assert type(cause) is kind
    assert text in str(cause)


def test_a_close_with_code_nought_is_clean_once_established() -> None:
    ending = Ending(0, None, "", by_peer=True)
    assert cause_of(ending, established=True) is None
    assert isinstance(cause_of(ending, established=False), LinkClosed)
