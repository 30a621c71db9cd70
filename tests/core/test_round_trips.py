"""How soon a stream has its first answer, in round trips of a simulated wire."""

from __future__ import annotations

import pytest

from tests.simulation.round_trips import Way, count_round_trips

TCP_KNOWN = 3  # connect; propose and shake hands; propose and ask
TCP_UNKNOWN = 4  # connect; propose; shake hands; propose and ask
QUIC = 2  # shake hands; propose and ask


@pytest.mark.parametrize("way", ["tls", "noise"])
def test_first_answer_of_a_known_tcp_peer_takes_three_round_trips(
    anyio_backend: str, way: Way
) -> None:
    assert count_round_trips(anyio_backend, way, known=True) == TCP_KNOWN


@pytest.mark.parametrize("way", ["tls", "noise"])
def test_first_answer_of_an_unknown_tcp_peer_takes_four_round_trips(
    anyio_backend: str, way: Way
) -> None:
    assert count_round_trips(anyio_backend, way, known=False) == TCP_UNKNOWN


@pytest.mark.parametrize("known", [True, False])
def test_first_answer_over_quic_takes_two_round_trips(anyio_backend: str, *, known: bool) -> None:
    assert count_round_trips(anyio_backend, "quic", known=known) == QUIC
