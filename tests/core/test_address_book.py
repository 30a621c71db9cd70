"""AddressBook: which addresses and which peers are kept."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from peerloom._discovery._address_book import (
    MAX_ADDRESSES,
    MAX_FAILURES,
    AddressBook,
    Standing,
)
from tests.core.discovery_values import direct, peer, relayed


def book_with(*numbers: int, max_peers: int = 4096) -> AddressBook:
    book = AddressBook(max_peers)
    for number in numbers:
        book.touch(peer(number))
    return book


def test_newest_address_comes_first() -> None:
    book = book_with(1)
    for number in (1, 2, 3):
        book.add(peer(1), direct(number))
    book.add(peer(1), direct(1))

    assert book.addresses(peer(1)) == (direct(1), direct(3), direct(2))
    assert book.addresses(peer(2)) == ()


def test_relayed_failing_and_unproven_addresses_come_last() -> None:
    book = book_with(1)
    book.add(peer(1), direct(1), proven=True)
    book.add(peer(1), direct(2))
    book.add(peer(1), direct(3))
    book.add(peer(1), relayed(9))
    book.record_failure(peer(1), direct(3))

    assert book.addresses(peer(1)) == (direct(1), direct(2), direct(3), relayed(9))


def test_fifth_address_replaces_the_one_that_failed_most() -> None:
    book = book_with(1)
    for number in range(4):
        book.add(peer(1), direct(number), proven=True)
    book.record_failure(peer(1), direct(2))
    book.add(peer(1), direct(5))

    assert set(book.addresses(peer(1))) == {direct(0), direct(1), direct(3), direct(5)}


def test_fifth_address_replaces_a_claim_before_a_proven_one() -> None:
    book = book_with(1)
    book.add(peer(1), direct(0), proven=True)
    for number in range(1, 9):
        book.add(peer(1), direct(number))

    assert book.addresses(peer(1)) == (direct(0), direct(8), direct(7), direct(6))


def test_address_goes_at_the_third_failure_in_a_row() -> None:
    book = book_with(1)
    book.add(peer(1), direct(1))

    assert not book.record_failure(peer(1), direct(1))
    assert not book.record_failure(peer(1), direct(1))
    book.add(peer(1), direct(1))
    assert not book.record_failure(peer(1), direct(1))
    assert not book.record_failure(peer(1), direct(1))
    assert book.record_failure(peer(1), direct(1))
    assert book.addresses(peer(1)) == ()
    assert not book.record_failure(peer(1), direct(1))
    assert not book.record_failure(peer(7), direct(1))


def test_kept_peer_keeps_its_address_whatever_fails() -> None:
    book = book_with(1)
    book.add(peer(1), direct(1))
    book.set_standing(peer(1), Standing.KEPT)
    for _ in range(MAX_FAILURES * 2):
        assert not book.record_failure(peer(1), direct(1))

    assert book.addresses(peer(1)) == (direct(1),)


def test_full_book_loses_the_peer_of_fewest_addresses_then_the_oldest() -> None:
    book = book_with(1, 2, 3, max_peers=3)
    book.add(peer(1), direct(1))
    book.add(peer(2), direct(1))
    book.add(peer(3), direct(1))
    book.add(peer(3), direct(2))
    book.touch(peer(1))

    assert book.touch(peer(4)) == peer(2)
    book.add(peer(4), direct(4))
    assert book.touch(peer(5)) == peer(1)
    assert book.touch(peer(6)) == peer(5)
    assert peer(3) in book


def test_full_book_loses_peers_of_low_standing_first() -> None:
    book = book_with(1, 2, 3, 4, max_peers=4)
    for number, standing in enumerate(Standing, start=1):
        book.set_standing(peer(number), standing)
    for number in range(1, 3):
        book.add(peer(1), direct(number))

    assert book.touch(peer(5)) == peer(1)
    assert book.touch(peer(6)) == peer(5)
    book.set_standing(peer(6), Standing.KEPT)
    assert book.touch(peer(7)) == peer(2)
    assert book.touch(peer(8)) == peer(7)
    book.set_standing(peer(8), Standing.KEPT)
    assert book.touch(peer(9)) == peer(3)


class AnyOrder(RuleBasedStateMachine):
    """Whatever is told in whatever order, the bounds hold and kept peers stay."""

    MAX_PEERS = 5

    def __init__(self) -> None:
        super().__init__()
        self.book = AddressBook(self.MAX_PEERS)
        self.known: dict[int, Standing] = {}

    @rule(number=st.integers(0, 9))
    def touch(self, number: int) -> None:
        evicted = self.book.touch(peer(number))
        self.known.setdefault(number, Standing.ORDINARY)
        if evicted is not None:
            (gone,) = (each for each in self.known if peer(each) == evicted)
            assert gone != number
            others = [standing for each, standing in self.known.items() if each != number]
            assert self.known[gone] is min(others)
            del self.known[gone]

    @rule(number=st.integers(0, 9), standing=st.sampled_from(Standing))
    def set_standing(self, number: int, standing: Standing) -> None:
        if number in self.known:
            self.book.set_standing(peer(number), standing)
            self.known[number] = standing

    @rule(number=st.integers(0, 9), address=st.integers(0, 9), proven=st.booleans())
    def add(self, number: int, address: int, *, proven: bool) -> None:
        if number in self.known:
            self.book.add(peer(number), direct(address), proven=proven)
            assert direct(address) in self.book.addresses(peer(number))

    @rule(number=st.integers(0, 9), address=st.integers(0, 9))
    def fail(self, number: int, address: int) -> None:
        had = direct(address) in self.book.addresses(peer(number))
        dropped = self.book.record_failure(peer(number), direct(address))
        assert dropped == (had and direct(address) not in self.book.addresses(peer(number)))

    @invariant()
    def bounds_hold(self) -> None:
        assert len(self.book) == len(self.known) <= self.MAX_PEERS
        counts = [len(self.book.addresses(peer(number))) for number in self.known]
        assert all(count <= MAX_ADDRESSES for count in counts)
        assert self.book.count_addresses() == sum(counts)
        assert sum(map(len, self.book._by_rank)) == len(self.book)


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=60, deadline=None)
