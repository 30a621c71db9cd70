"""What is due first, of many."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from peerloom._meta._deadlines import Deadlines

_CHANGES = st.lists(
    st.tuples(st.integers(0, 5), st.one_of(st.none(), st.integers(0, 50).map(float))), max_size=200
)


@given(changes=_CHANGES, now=st.integers(0, 50))
def test_deadlines_know_the_same_as_a_look_at_all_of_them(
    changes: list[tuple[int, float | None]], now: int
) -> None:
    deadlines, wanted = Deadlines(), dict[int, float]()
    for number, at in changes:
        deadlines.set(number, at)
        wanted.pop(number, None)
        if at is not None:
            wanted[number] = at
        assert deadlines.earliest() == min(wanted.values(), default=None)
    due = sorted((at, number) for number, at in wanted.items() if at <= now)
    assert deadlines.take_due(now) == [number for _, number in due]
    assert deadlines.take_due(now) == []
    left = [at for at in wanted.values() if at > now]
    assert deadlines.earliest() == min(left, default=None)
