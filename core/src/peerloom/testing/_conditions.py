"""Conditions with a time limit, which say what they saw."""

from __future__ import annotations

from collections.abc import Awaitable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

import anyio

from peerloom._dispatch import name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

_EAGER_LOOKS: Final = 100  # one in each turn of the event loop, before it pauses between them
_SHORTEST_PAUSE_SECONDS: Final = 0.001
_LONGEST_PAUSE_SECONDS: Final = 0.05
_SHOWN: Final = 10
_SHOWN_CHARACTERS: Final = 200


@overload
async def until(
    probe: Callable[[], Awaitable[T]], accept: Callable[[T], object] = bool, *, within: float = 5.0
) -> T: ...
@overload
async def until(
    probe: Callable[[], T], accept: Callable[[T], object] = bool, *, within: float = 5.0
) -> T: ...


async def until(
    probe: Callable[[], Any], accept: Callable[[Any], object] = bool, *, within: float = 5.0
) -> Any:
    """Look again and again until what is seen is accepted; gives that.

    ``await until(node.client.peers, lambda peers: len(peers) == 2)``. After so many seconds it
    raises AssertionError, which tells what was seen. Where events tell of a change, wait for
    those: see `Recorder`.

    Args:
        probe: looks; a plain function or an async one.
        accept: judges what was seen; without it, the value itself must be true.
        within: seconds.
    """
    seen: list[tuple[str, int]] = []
    pauses = _pauses()
    with anyio.move_on_after(within):
        while True:
            value = probe()
            if isinstance(value, Awaitable):
                value = await value
            if accept(value):
                return value
            _note(seen, _shown(value))
            await anyio.sleep(next(pauses))
    wanted = place_of(probe) + ("" if accept is bool else f", judged by {place_of(accept)},")
    raise AssertionError(f"{wanted} did not hold within {within:g} s; {_told(seen)}")


def place_of(function: Callable[..., object]) -> str:
    """A function's name and where it is written, for people."""
    code = getattr(function, "__code__", None)
    if code is None:
        return name_of(function)
    return f"{name_of(function)} ({Path(code.co_filename).name}:{code.co_firstlineno})"


def _pauses() -> Iterator[float]:
    yield from (0.0 for _ in range(_EAGER_LOOKS))
    pause = _SHORTEST_PAUSE_SECONDS
    while True:
        yield pause
        pause = min(_LONGEST_PAUSE_SECONDS, 2 * pause)


def _note(seen: list[tuple[str, int]], value: str) -> None:
    if seen and seen[-1][0] == value:
        seen[-1] = (value, seen[-1][1] + 1)
        return
    seen.append((value, 1))
    del seen[:-_SHOWN]


def _told(seen: list[tuple[str, int]]) -> str:
    if not seen:
        return "it saw nothing: the first look has not ended"
    return "it saw in turn: " + ", then ".join(
        value if times == 1 else f"{value} ({times} times)" for value, times in seen
    )


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
