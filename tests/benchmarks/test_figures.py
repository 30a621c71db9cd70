"""Figures, and the bytes that benchmarks carry."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.benchmark import Limit, WrongData
from benchmarks.cases.bulk import check
from benchmarks.figures import Figures
from benchmarks.workers.payload import BLOCK_BYTES, Tag, blocks, blocks_of, expected_tag

_RING = blocks_of(1)


def test_ours_is_the_backend_with_the_worse_median() -> None:
    figures = Figures({"peerloom-asyncio": (9, 1, 9), "peerloom-trio": (5, 5, 5), "js": (1, 1, 1)})
    assert figures.worst_of_ours() == "peerloom-trio"


def test_ours_is_the_slower_backend_where_lower_is_better() -> None:
    figures = Figures(
        {"peerloom-asyncio": (9, 1, 9), "peerloom-trio": (5, 5, 5)}, lower_is_better=True
    )
    assert figures.worst_of_ours() == "peerloom-asyncio"


def test_ratio_is_the_median_of_the_rounds_not_the_ratio_of_the_medians() -> None:
    figures = Figures({"peerloom-trio": (10, 40, 90), "js": (10, 10, 100)})
    assert figures.ratio_to("js") == 1
    assert figures.median_of("peerloom-trio") / figures.median_of("js") == 4


def test_ratio_says_how_many_times_better_ours_is_where_lower_is_better() -> None:
    assert Figures({"peerloom-trio": (2,), "js": (10,)}, lower_is_better=True).ratio_to("js") == 5


def test_ratio_needs_one_of_ours() -> None:
    with pytest.raises(LookupError):
        Figures({"js": (1,)}).ratio_to("js")


def test_ratio_to_a_limit_is_one_where_it_is_just_reached() -> None:
    more = Figures({"peerloom-trio": (10, 30, 20)}, limit=Limit(10))
    assert more.ratio_to_limit() == 2
    less = Figures({"peerloom-trio": (10, 30, 20)}, lower_is_better=True, limit=Limit(10))
    assert less.ratio_to_limit() == 0.5
    assert Figures({"peerloom-trio": (10,)}).ratio_to_limit() is None


def test_limit_beside_a_peer_moves_with_it_from_round_to_round() -> None:
    by_name = {"peerloom-trio": (1, 1, 2), "py": (0.5, 1.5, 3.5)}
    limit = Limit(0.5, beside="py")
    assert Figures(by_name, lower_is_better=True, limit=limit).ratio_to_limit() == 2
    assert Figures({"peerloom-trio": (1,)}, limit=limit).ratio_to_limit() is None


def test_peer_beside_one_of_ours_counts_only_where_that_one_counts() -> None:
    figures = Figures(
        {
            "peerloom-asyncio": (5,),
            "alone@peerloom-asyncio": (6,),
            "peerloom-trio": (4,),
            "alone@peerloom-trio": (8,),
            "js": (1,),
        }
    )
    assert figures.peers == ["alone@peerloom-trio", "js"]
    assert figures.ratio_to("alone@peerloom-trio") == 0.5


def test_receiver_that_got_other_bytes_has_failed() -> None:
    right = {"seconds": 1.0, "count": BLOCK_BYTES, "tag": expected_tag(1, BLOCK_BYTES)}
    check("js", right, BLOCK_BYTES)
    for wrong in (
        {**right, "count": BLOCK_BYTES - 1},
        {**right, "tag": expected_tag(2, BLOCK_BYTES)},
        {"seconds": 1.0},
    ):
        with pytest.raises(WrongData, match="js"):
            check("js", wrong, BLOCK_BYTES)


def test_streams_of_a_connection_carry_different_bytes() -> None:
    tags = {expected_tag(1, BLOCK_BYTES, number) for number in range(len(_RING))}
    assert len(tags) == len(_RING)


@given(cuts=st.lists(st.integers(0, 3 * BLOCK_BYTES), max_size=8).map(sorted))
@settings(max_examples=30, deadline=None)
def test_tag_does_not_depend_on_where_reads_ended(cuts: list[int]) -> None:
    data, tag = b"".join(_RING[:3]), Tag()
    for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        tag.update(data[start:end])
    assert tag.digest().hex() == expected_tag(1, len(data))


def test_tag_notices_exchanged_blocks() -> None:
    tag = Tag()
    for block in (_RING[1], _RING[0], _RING[2]):
        tag.update(block)
    assert tag.digest().hex() != expected_tag(1, 3 * BLOCK_BYTES)


def test_blocks_go_round() -> None:
    rounds = list(blocks(_RING, (len(_RING) + 2) * BLOCK_BYTES))
    assert rounds[-2:] == _RING[:2]
    assert len(set(_RING)) == len(_RING)
