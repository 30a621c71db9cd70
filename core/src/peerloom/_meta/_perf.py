"""Perf (libp2p/specs, perf): how fast bytes go to a peer and come back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio
from attrs import field, frozen

from peerloom._commands import Perf, PerfResult
from peerloom._config import ConfigSection, whole_at_least
from peerloom._errors import MalformedMessage
from peerloom.plugin import Behaviour, InboundProtocol, PluginInfo, hookimpl

if TYPE_CHECKING:
    from peerloom._stream import Stream
    from peerloom.plugin import CommandHandler, PluginContext

PERF_PROTOCOL: Final = "/perf/1.0.0"
MAX_STREAMS: Final = 8  # measurements at a time; more would only measure each other
STALL_SECONDS: Final = 30.0  # a measurement in which nothing moves for so long has failed
_BLOCK: Final = bytes(128 * 1024)
_READ_BYTES: Final = 512 * 1024


@frozen
class PerfConfig:
    """Settings of the section ``perf``.

    Attributes:
        serve: answer measurements of others. Off unless asked for: whoever connects could
            make this node send without end (libp2p/specs, perf, security considerations).
        max_streams_per_peer: measurements of one peer at a time.
    """

    serve: bool = False
    max_streams_per_peer: int = field(default=2, validator=whole_at_least(1))


class PerfBehaviour(Behaviour):
    """Serves measurements, if told to."""

    def __init__(self, config: PerfConfig) -> None:
        if config.serve:
            self.protocols = {
                PERF_PROTOCOL: InboundProtocol(
                    serve_perf,
                    max_streams_per_peer=config.max_streams_per_peer,
                    max_streams=MAX_STREAMS,
                )
            }


class PerfPlugin:
    """Perf as a plugin of core."""

    info = PluginInfo(name="perf")

    @hookimpl
    def peerloom_config_sections(self) -> list[ConfigSection]:
        """Its settings."""
        return [ConfigSection("perf", PerfConfig, "Measurements of throughput")]

    @hookimpl
    def peerloom_behaviours(self, ctx: PluginContext) -> list[Behaviour]:
        """The protocols that it answers."""
        return [PerfBehaviour(ctx.config)]

    @hookimpl
    def peerloom_command_handlers(self, ctx: PluginContext) -> list[CommandHandler]:
        """What it answers."""

        async def measure(command: Perf) -> PerfResult:
            began_at = ctx.runtime.now()
            stream = await ctx.open_stream(command.peer, (PERF_PROTOCOL,))
            async with stream:
                return await _measure(stream, command, ctx, began_at)

        return [Perf.handled_by(measure)]


async def serve_perf(stream: Stream) -> None:
    """Serve one measurement: read a count and all that follows, then send that many bytes."""
    with anyio.fail_after(STALL_SECONDS):
        wanted = int.from_bytes(await stream.receive_exactly(8), "big")
    while await _receive(stream):
        pass
    await _send_zeros(stream, wanted)
    await stream.aclose()


async def _measure(
    stream: Stream, command: Perf, ctx: PluginContext, began_at: float
) -> PerfResult:
    now = ctx.runtime.now
    await stream.send(command.download_bytes.to_bytes(8, "big"))
    await _send_zeros(stream, command.upload_bytes)
    await stream.send_eof()
    received = await _receive(stream)
    answered_at = now()
    while count := await _receive(stream):
        received += count
        if received > command.download_bytes:
            break
    if received != command.download_bytes:
        raise MalformedMessage(f"{received} bytes came instead of {command.download_bytes}")
    return PerfResult(
        upload_bytes=command.upload_bytes,
        download_bytes=received,
        upload_seconds=answered_at - began_at,
        download_seconds=now() - answered_at,
    )


async def _send_zeros(stream: Stream, count: int) -> None:
    while count > 0:
        with anyio.fail_after(STALL_SECONDS):
            await stream.send(_BLOCK[: min(count, len(_BLOCK))])
        count -= len(_BLOCK)


async def _receive(stream: Stream) -> int:
    """Bytes received, or 0 at the end of the stream."""
    try:
        with anyio.fail_after(STALL_SECONDS):
            return len(await stream.receive(_READ_BYTES))
    except anyio.EndOfStream:
        return 0
