"""What plugins may rely on of streams: the real swarm and the fake one both hold it."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from peerloom import (
    LinkClosed,
    ProtocolNotSupported,
    StreamReset,
)
from peerloom.plugin import (
    Role,
)
from tests.testing.worlds import (
    BABBLE,
    ECHO,
    babble,
    dialled,
    echo,
    echoed,
    read,
    send_all,
    serve,
)

if TYPE_CHECKING:
    from peerloom import Stream
    from peerloom.plugin import PluginContext
    from tests.testing.worlds import World

TIMES = 10  # what depends on the order of tasks goes wrong in one of so many
LARGE = 4 * 1024 * 1024  # more than windows and buffers hold


async def test_a_stream_is_opened_dialling_if_need_be(world: World, ctx: PluginContext) -> None:
    serve(ctx, echo).known[world.ben] = world.ben_addresses

    stream = await ctx.open_stream(world.ben, [ECHO])

    assert (stream.peer, stream.protocol) == (world.ben, ECHO)
    assert stream.connection == ctx.connections()[0]
    assert await echoed(stream, b"there and back") == b"there and back"


async def test_the_first_protocol_that_the_peer_speaks_is_taken(
    world: World, ctx: PluginContext
) -> None:
    await dialled(world)

    async with await ctx.open_stream(world.ben, ["/unknown/1", ECHO, "/unknown/2"]) as stream:
        assert stream.protocol == ECHO


async def test_a_protocol_that_the_peer_does_not_speak_is_refused(
    world: World, ctx: PluginContext
) -> None:
    await dialled(world)

    with pytest.raises(ProtocolNotSupported):
        await ctx.open_stream(world.ben, ["/unknown/1"])


async def test_an_optimistic_stream_is_refused_when_it_is_read(
    world: World, ctx: PluginContext
) -> None:
    await dialled(world)

    stream = await ctx.open_stream(world.ben, ["/unknown/1"], optimistic=True)

    await stream.send(b"into the void")
    with pytest.raises((ProtocolNotSupported, StreamReset)):
        await read(stream)


async def test_a_stream_can_be_opened_on_one_connection_as_long_as_that_stands(
    world: World, ctx: PluginContext
) -> None:
    first, second = await dialled(world), await dialled(world)

    async with await ctx.open_stream(world.ben, [ECHO], connection_id=second.id) as stream:
        assert stream.connection == second
    await ctx.swarm.close_connection(first.id, "a test")
    with pytest.raises(LinkClosed):
        await ctx.open_stream(world.ben, [ECHO], connection_id=first.id)


async def test_much_data_arrives_whole_and_in_order(world: World, ctx: PluginContext) -> None:
    data = bytes(range(256)) * (LARGE // 256)
    await dialled(world)

    assert await echoed(await ctx.open_stream(world.ben, [ECHO]), data) == data


async def test_a_reader_that_is_slow_holds_its_sender(world: World, ctx: PluginContext) -> None:
    serve(ctx, never_read)
    stream = await world.ben_opens("/served/1")

    with anyio.move_on_after(0.2) as scope:
        await stream.send(bytes(LARGE))

    assert scope.cancelled_caught
    stream.reset()


async def never_read(stream: Stream) -> None:
    await anyio.sleep_forever()


async def test_what_comes_in_is_handed_to_the_protocols_handler(
    world: World, ctx: PluginContext
) -> None:
    serve(ctx, echo)

    stream = await world.ben_opens("/served/1")

    assert await echoed(stream, b"and back") == b"and back"
    assert ctx.connections(world.ben)[0].role is Role.LISTENER


async def test_what_nobody_serves_is_refused(world: World) -> None:
    with pytest.raises(ProtocolNotSupported):
        await world.ben_opens("/unknown/1")


async def test_streams_past_a_bound_are_reset(world: World, ctx: PluginContext) -> None:
    serve(ctx, echo, max_streams_per_peer=1)
    first = await world.ben_opens("/served/1")
    await first.send(b"x")
    assert await read(first) == b"x"

    with pytest.raises(StreamReset):
        await read(await world.ben_opens("/served/1"))
    await first.aclose()


async def test_a_reset_is_no_clean_end(world: World, ctx: PluginContext) -> None:
    serve(ctx, reset_after_reading)
    stream = await world.ben_opens("/served/1")
    await stream.send(b"x")

    with pytest.raises(StreamReset, match=f"^stream /served/1 with {stream.peer}: reset"):
        await read(stream)
    with pytest.raises(StreamReset, match=f"^stream /served/1 with {stream.peer}: reset"):
        await stream.send(b"y")


async def test_the_end_of_a_connection_names_each_of_its_streams(
    world: World, ctx: PluginContext
) -> None:
    info = await dialled(world)
    stream = await ctx.open_stream(world.ben, [ECHO])
    await ctx.swarm.close_connection(info.id, "a test")

    for use in (read(stream), stream.send(b"x"), stream.send_eof()):
        with pytest.raises((LinkClosed, StreamReset), match=f"^stream {ECHO} with {world.ben}: "):
            await use


async def test_a_stream_that_this_side_has_closed_says_so(world: World, ctx: PluginContext) -> None:
    await dialled(world)
    stream = await ctx.open_stream(world.ben, [ECHO])
    await stream.aclose()
    await stream.aclose()

    for use in (read(stream), stream.send(b"x")):
        with pytest.raises(
            anyio.ClosedResourceError, match=f"^stream {ECHO} with {world.ben}: this side has"
        ):
            await use


async def test_what_is_no_bytes_is_not_sent(world: World, ctx: PluginContext) -> None:
    await dialled(world)
    mistakes: tuple[Any, ...] = (5, True, "text", None)
    async with await ctx.open_stream(world.ben, [ECHO]) as stream:
        for mistake in mistakes:
            with pytest.raises(TypeError, match="a bytes-like object is required, not"):
                await stream.send(mistake)
        await stream.send(array("I", [1]))  # type: ignore[arg-type]
        assert await stream.receive_exactly(4) == array("I", [1]).tobytes()


async def test_at_least_one_byte_is_asked_for(world: World, ctx: PluginContext) -> None:
    await dialled(world)
    async with await ctx.open_stream(world.ben, [ECHO]) as stream:
        for mistake in (0, -1):
            with pytest.raises(ValueError, match="ask for at least one byte"):
                await stream.receive(mistake)


async def test_protocols_that_are_no_sequence_of_ids_are_told(
    world: World, ctx: PluginContext
) -> None:
    await dialled(world)
    mistakes: tuple[Any, ...] = (ECHO, [], [[ECHO]], None)
    for mistake in mistakes:
        with pytest.raises(
            TypeError, match=r"expected protocol ids, as in \['/echo/1\.0\.0'\], found"
        ):
            await ctx.open_stream(world.ben, mistake)


async def reset_after_reading(stream: Stream) -> None:
    await stream.receive()
    stream.reset()


async def test_half_a_stream_can_be_ended(world: World, ctx: PluginContext) -> None:
    await dialled(world)
    stream = await ctx.open_stream(world.ben, [ECHO])
    await stream.send(b"last words")
    await stream.send_eof()

    assert await read(stream) == b"last words"
    with pytest.raises(anyio.EndOfStream):
        await read(stream)
    with pytest.raises((anyio.ClosedResourceError, anyio.BrokenResourceError)):
        await stream.send(b"more")


async def test_who_answers_without_having_read_is_heard_all_the_same(
    world: World, ctx: PluginContext
) -> None:
    await dialled(world)
    serve(ctx, babble)

    for _ in range(TIMES):
        assert await asked(await ctx.open_stream(world.ben, [BABBLE])) == b"forty-two"
        assert await asked(await world.ben_opens("/served/1")) == b"forty-two"


async def asked(stream: Stream) -> bytes:
    async with stream:
        await send_all(stream, b"a question")
        return await read(stream)


async def test_more_than_a_window_for_a_side_that_has_closed_ends_in_a_reset(
    world: World, ctx: PluginContext
) -> None:
    await dialled(world)
    stream = await ctx.open_stream(world.ben, [BABBLE])

    with anyio.fail_after(5), pytest.raises(StreamReset):
        await stream.send(bytes(LARGE))
