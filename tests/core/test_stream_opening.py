"""What is said of a stream that cannot be opened."""

from __future__ import annotations

import pytest

from peerloom import Limits, StreamReset
from tests.core.nodes import Serving, echo, two_nodes

OFFERED = ("/echo/2", "/echo/1")


async def test_a_stream_that_is_reset_while_it_is_negotiated_says_with_whom_and_for_what() -> None:
    async with two_nodes(Serving(echo=echo), limits=Limits(streams_per_connection=1)) as (
        asking,
        serving,
    ):
        text = f"^stream /echo/2, /echo/1 with {serving.peer_id}: reset by the other side$"
        with pytest.raises(StreamReset, match=text):
            async with await asking.client.open_stream(serving.peer_id, OFFERED):
                await asking.client.open_stream(serving.peer_id, OFFERED)
