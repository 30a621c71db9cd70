"""peerloom.blocking: what is given to the wrong verb is told which one takes it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from peerloom import NetworkConfig
from peerloom.blocking import Node
from peerloom_stream import Streams

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

SECONDS = 20  # that something takes which cannot fail to come


@pytest.fixture
def node(anyio_backend: Any) -> Iterator[Node]:
    with Node(NetworkConfig(strict=True), backend=anyio_backend) as node:
        yield node


async def _function() -> None:
    pass


async def _items() -> AsyncGenerator[int]:
    yield 1


@asynccontextmanager
async def _block() -> AsyncGenerator[None]:
    yield


def test_each_way_into_the_loop_says_which_other_one_takes_what_it_is_given(node: Node) -> None:
    run, enter, iterate = node.run, node.enter, node.iterate
    mistakes: list[tuple[Any, Any, str]] = [
        (
            run,
            _function(),
            r"^expected a function: write run\(_function\), not run\(_function\(\)\)$",
        ),
        (run, _block(), r"^run\(\) takes a function, .*: that is for enter\(\)$"),
        (run, _items(), r"^run\(\) takes a function, .*: that is for iterate\(\)$"),
        (run, 5, r"^run\(\) takes a function, not 5$"),
        (enter, _items(), r"^enter\(\) takes .*`async with`, .*: that is for iterate\(\)$"),
        (enter, _function(), r": give it what run\(_function, \.\.\.\) gives$"),
        (iterate, _block(), r"^iterate\(\) takes .*`async for`, .*: that is for enter\(\)$"),
        (iterate, _function(), r": give it what run\(_function, \.\.\.\) gives$"),
    ]
    for way, given, text in mistakes:
        with pytest.raises(TypeError, match=text):
            way(given)


def test_the_async_client_of_a_plugin_says_which_client_it_takes(node: Node) -> None:
    mistaken: Any = node.client
    with pytest.raises(TypeError, match=r"give it node\.async_client, not the blocking node"):
        Streams(mistaken)


def test_a_time_limit_of_the_function_itself_stays_its_own(node: Node) -> None:
    async def impatient() -> None:
        raise TimeoutError("of its own")

    with pytest.raises(TimeoutError, match=r"^of its own$"):
        node.run(impatient, timeout=SECONDS)
