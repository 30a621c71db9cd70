"""Drive a peer (see README.md) from a test, under asyncio and under trio.

::

    async with peer("js", security=["tls"]) as js:
        await js.dial(address)
        await js.event("identified", peer=us)

A peer's log, and the end of what it told, is added to whatever error leaves the block.
"""

from __future__ import annotations

import json
import os
import signal
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from subprocess import PIPE
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.abc
import anyio.to_thread
import pytest

from .build import ROOT, ToolchainMissing, command_of
from .features import Features
from .party import Fields, Party, PartyGone, processor_seconds, resident_bytes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

START_SECONDS: Final = 30
REQUEST_SECONDS: Final = 60
_STOP_SECONDS: Final = 3
_LINE_BYTES: Final = 1024 * 1024


class PeerError(Exception):
    """A peer refused a request.

    Attributes:
        kind: ``bad-request``, ``unsupported`` or ``failed``.
    """

    def __init__(self, peer: str, request: Fields, answer: Fields) -> None:
        super().__init__(f"{peer} refused {json.dumps(request)}: {answer['error']}")
        self.kind: str = answer["kind"]


class Peer(Features, Party):
    """A running peer.

    Attributes:
        version: implementation and version, as it says.
    """

    def __init__(self, kind: str, process: anyio.abc.Process) -> None:
        super().__init__(kind)
        self.version = ""
        self._process = process
        self._numbers = count(1)
        self._answers: dict[int, Fields] = {}
        self._addresses: list[str] = []

    @property
    def address(self) -> str:
        """The first address that it listens on, with its peer id."""
        return self._addresses[0]

    @property
    def addresses(self) -> Sequence[str]:
        """All that it listens on."""
        return self._addresses

    async def start(self, **settings: Any) -> None:
        """Send the first request."""
        facts = await self.request("start", within=START_SECONDS, **settings)
        self.id = facts["peer"]
        self._addresses = facts["addresses"]
        self.version = f"{facts['implementation']} {facts['version']}"

    async def request(self, do: str, *, within: float = REQUEST_SECONDS, **fields: Any) -> Fields:
        """Send a request and wait for its answer.

        Raises:
            PeerError: it refused.
            PartyGone: its process has ended.
            TimeoutError: it did not answer in time.
        """
        number = next(self._numbers)
        request = {"id": number, "do": do, **fields}
        await self._send(request)
        answer = await self._wait_for(
            lambda: self._answers.pop(number, None), within, f"the answer to {json.dumps(request)}"
        )
        if "error" in answer:
            raise PeerError(self.kind, request, answer)
        ok: Fields = answer["ok"]
        return ok

    async def dial(self, address: str) -> None:
        """Connect to somebody."""
        await self.request("dial", address=address)

    async def disconnect(self, peer: str) -> None:
        """Close its connections to a peer."""
        await self.request("disconnect", peer=peer)

    async def connections(self) -> list[Fields]:
        """What it is connected to."""
        answer = await self.request("connections")
        connections: list[Fields] = answer["connections"]
        return connections

    async def identify(self, peer: str) -> Fields:
        """What it knows of a peer by now."""
        return await self.request("identify", peer=peer)

    async def handle(self, protocol: str) -> None:
        """Serve one more protocol from now on."""
        await self.request("handle", protocol=protocol)

    async def unhandle(self, protocol: str) -> None:
        """Serve a protocol no longer."""
        await self.request("unhandle", protocol=protocol)

    async def ping(self, peer: str) -> float:
        """Ping a peer; gives the round trip in milliseconds."""
        answer = await self.request("ping", peer=peer)
        return float(answer["milliseconds"])

    async def perf(self, peer: str, upload: int, download: int) -> float:
        """Run perf once; gives its seconds."""
        answer = await self.request("perf", peer=peer, upload=upload, download=download)
        return float(answer["seconds"])

    async def run(self, script: str, peer: str, nbytes: int, seed: int, **more: Any) -> Fields:
        """Run one of the stream scripts: ``echo``, ``sink``, ``source`` and so on."""
        return await self.request(script, peer=peer, bytes=nbytes, seed=seed, **more)

    async def frames(self, peer: str, sizes: Sequence[int], seed: int) -> Fields:
        """Send frames of those sizes and take back what comes."""
        return await self.request("frames", peer=peer, sizes=list(sizes), seed=seed)

    async def streams(self) -> list[Fields]:
        """The scripted streams that are open now."""
        answer = await self.request("streams")
        streams: list[Fields] = answer["streams"]
        return streams

    async def release(self, stream: int) -> None:
        """Let a held or stalled stream read on."""
        await self.request("release", stream=stream)

    def memory_bytes(self) -> int:
        """What its process holds in memory."""
        return resident_bytes(self._process.pid)

    def processor_seconds(self) -> float:
        """What its process has used of a core since it began."""
        return processor_seconds(self._process.pid)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop its process for the time of the block: it hears nothing and says nothing."""
        self._process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED)  # till then some of its threads run on
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End its process at once, as by ``kill -9``."""
        self._process.send_signal(signal.SIGKILL)

    async def stop(self) -> None:
        """Close its standard input, which ends it; kill it if that does not."""
        assert self._process.stdin is not None
        try:
            with anyio.move_on_after(_STOP_SECONDS):
                await self._process.stdin.aclose()
                await self._process.wait()
        finally:
            if self._process.returncode is None:
                self._process.kill()
            with anyio.CancelScope(shield=True):
                await self._process.wait()

    async def read_output(self) -> None:
        """Take its answers and events until its process ends."""
        assert self._process.stdout is not None
        async for line in _lines(self._process.stdout):
            message = json.loads(line)
            if "event" in message:
                self.tell(message.pop("event"), **message)
            else:
                self._answers[message["id"]] = message
                self._wake()
        self._end()

    async def read_log(self) -> None:
        """Keep the end of its log."""
        assert self._process.stderr is not None
        async for line in _lines(self._process.stderr):
            self._log.append(line)

    async def _send(self, request: Fields) -> None:
        assert self._process.stdin is not None
        try:
            await self._process.stdin.send(json.dumps(request).encode() + b"\n")
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            raise PartyGone(f"{self.kind} has ended") from None


@asynccontextmanager
async def peer(kind: str, *, namespace: str | None = None, **settings: Any) -> AsyncIterator[Peer]:
    """Run a peer, in a network namespace if one is named.

    `settings` are the fields of its ``start`` request.

    A missing toolchain skips the test, or fails it under ``PEERLOOM_REQUIRE_ALL=1``.
    """
    command = await anyio.to_thread.run_sync(command_or_skip, kind)
    if namespace is not None:
        command = ["ip", "netns", "exec", namespace, *command]
    failure: BaseException | None = None
    async with (
        await anyio.open_process(command, stdin=PIPE, stdout=PIPE, stderr=PIPE, cwd=ROOT) as child,
        anyio.create_task_group() as tasks,
    ):
        running = Peer(kind, child)
        tasks.start_soon(running.read_output)
        tasks.start_soon(running.read_log)
        try:
            await running.start(**settings)
            yield running
        except BaseException as error:  # noqa: BLE001 - raised again below, outside the group
            error.add_note(running.log)
            failure = error
        finally:
            await running.stop()
    if failure is not None:
        raise failure


def command_or_skip(kind: str) -> Sequence[str]:
    """The command that runs a peer; see `peer` for what becomes of a missing toolchain."""
    try:
        return command_of(kind)
    except ToolchainMissing as error:
        if os.environ.get("PEERLOOM_REQUIRE_ALL") == "1":
            raise
        pytest.skip(str(error))


async def _lines(stream: anyio.abc.ByteReceiveStream) -> AsyncIterator[str]:
    rest = b""
    async for data in stream:
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            yield line.decode(errors="replace")
        if len(rest) > _LINE_BYTES:
            raise ValueError("a line of more than a mebibyte: this is no peer")
