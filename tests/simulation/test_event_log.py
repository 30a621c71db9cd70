"""What the log of a simulated network says of events, and what it leaves out."""

from __future__ import annotations

from typing import Any

from attrs import frozen
from multiaddr import Multiaddr

from peerloom import Event
from peerloom._libp2p import KeyPair
from peerloom.testing import EventLog

PEER = KeyPair.from_seed(bytes(32)).peer_id


@frozen
class Seen(Event):
    """An event of whatever."""

    what: Any


class Unnamed(Event):
    """An event that is no attrs class."""


def line_of(what: object) -> str:
    log = EventLog()
    log.name(PEER, "ann")
    log.event(1.5, "ben", Seen(what))
    (line,) = log
    return line.removeprefix("1.500000 ben Seen what=")


def test_log_writes_peers_by_name_and_sets_sorted() -> None:
    assert line_of(PEER) == "ann"
    assert line_of(frozenset({"c", "a", "b"})) == "{'a', 'b', 'c'}"
    assert line_of([(PEER, Multiaddr("/ip4/1.2.3.4/tcp/5"))]) == "[[ann, /ip4/1.2.3.4/tcp/5]]"
    assert line_of({"size": 2.5}) == "{'size': 2.5}"


def test_log_says_nothing_of_where_things_lie_in_memory() -> None:
    assert line_of(object()) == "object"
    assert line_of(ValueError("wrong")) == "ValueError(wrong)"
    assert line_of(Seen(None)) == "Seen(None)"


def test_log_shortens_bytes() -> None:
    assert line_of(b"\x01\x02") == "0102"
    assert line_of(bytes(1000)).startswith("0" * 32 + "…")


def test_log_is_its_lines_and_their_digest() -> None:
    log, same = EventLog(), EventLog()
    for each in (log, same):
        each.event(0.0, "ann", Unnamed())
        each.write(1.0, "-", "heals")
    assert bytes(log) == b"0.000000 ann Unnamed\n1.000000 - heals\n" == str(log).encode()
    assert log.digest() == same.digest()
    assert log.of("ann") == ["0.000000 ann Unnamed"]
    assert len(log) == 2
    same.write(2.0, "-", "more")
    assert log.digest() != same.digest()


def test_log_knows_the_lines_of_a_node_whose_name_is_several_words() -> None:
    log = EventLog()
    for name in ("ann", "ann smith"):
        log.write(0.0, name, "starts")
    assert log.of("ann") == ["0.000000 ann starts"]
    assert log.of("ann smith") == ["0.000000 ann smith starts"]
