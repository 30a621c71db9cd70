"""What of a plugin shows when it runs: on a bench, against a fake swarm, and in a real node."""

from __future__ import annotations

import gc
import json
import re
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final
from weakref import ref

import anyio

from peerloom._config import NetworkConfig, PluginSelection
from peerloom._endpoint import ConnectionInfo
from peerloom._errors import PeerloomError, ProtocolNotSupported, describe
from peerloom._events import PluginFailed
from peerloom._node import Node
from peerloom._peer_id import PeerId
from peerloom._plugins import extend_cli
from peerloom._swarm import Refused

from ._leaks import no_leaks
from ._samples import core_events, samples

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from peerloom._commands import Command

    from ._bench import Bench
    from ._fake_peer import FakePeer
    from ._subject import Subject

LIVES: Final = 3
WHILE_SECONDS: Final = 120.0  # of the bench's clock: timers of some rounds
GARBAGE: Final = (b"", b"\x00", b"\xff" * 64, b"GET / HTTP/1.1\r\n\r\n")
_PROTOCOL_ID: Final = re.compile(r"(/[!-.0-~]+)+")  # printable, no empty part
_MAX_PROTOCOL_BYTES: Final = 1024  # multistream-select of other implementations takes no more


async def check_served(subject: Subject) -> None:
    """Protocol ids, handlers and status are as others expect them."""
    async with running(subject) as bench:
        protocols = bench.swarm.installed.get(subject.name, ())
        strange = [one for one in protocols if not _is_protocol_id(one)]
        assert not strange, (
            f"no protocol ids: {strange}; write /name/version, such as /echo/1.0.0, in ASCII"
        )
        private = [one.__name__ for one in _answered(bench, subject) if one not in subject.commands]
        assert not private, (
            f"{subject.package.__name__} does not export {', '.join(private)}, which it answers"
        )
        report = bench.status(subject.name).get("report", {})
        try:
            json.dumps(report)
        except (TypeError, ValueError) as error:
            raise AssertionError(f"peerloom_status gave what JSON cannot hold: {error}") from error


async def check_starts_and_stops(subject: Subject) -> None:
    """It starts and stops again and again, and nothing of it stays."""
    contexts = []
    async with no_leaks():
        for _ in range(LIVES):
            async with running(subject) as bench:
                contexts.append(ref(bench.context_of(subject.name)))
                await bench.advance(WHILE_SECONDS)
            del bench
    gc.collect()
    alive = sum(one() is not None for one in contexts)
    assert alive <= 1, (
        f"after {LIVES} starts and stops it still holds {alive} contexts: forget what belongs to "
        "a context when its lifespan ends"
    )


async def check_restarts(subject: Subject) -> None:
    """After a failure it is built anew, and then is what it was."""
    async with no_leaks(), running(subject) as bench:
        before = _footprint(bench, subject)
        for _ in range(LIVES):
            bench.context_of(subject.name).spawn(_fail)
            await bench.settle()
            bench.heard.seen.clear()
            await bench.advance(WHILE_SECONDS)
            told = bench.status(subject.name)
            assert told["state"] == "running", f"after a failure it is {told['state']}: {told}"
            assert _footprint(bench, subject) == before, (
                f"built anew, it is {_footprint(bench, subject)}, and was {before}"
            )
            await bench.advance(10 * 60)  # that failures are forgotten


async def check_serves_two_nodes(subject: Subject, commands: Sequence[Command[Any]]) -> None:
    """Two nodes of one process have one plugin object, and do not hear of each other."""
    async with running(subject) as one:
        async with running(subject) as other:
            for driven, idle in ((one, other), (other, one)):
                await idle.settle()
                before = len(idle.heard.seen)
                await drive(driven, subject, commands, data=b"sample")
                await idle.settle()
                strayed = idle.heard.seen[before:]
                assert not strayed, (
                    "with the plugin in two nodes, what one node did reached the other: "
                    f"{strayed[0]}; keep what belongs to a node by its context"
                )
        one.heard.seen.clear()
        await drive(one, subject, commands)
        _check_no_failure(one, subject, "after another node with the same plugin had stopped")


async def check_survives_failing_swarm(subject: Subject, commands: Sequence[Command[Any]]) -> None:
    """Dials, streams and listening that fail do not make it fail."""
    async with running(subject) as bench:
        friend = bench.swarm.add_peer("a peer that comes by itself")
        bench.swarm.failing = True
        await drive(bench, subject, commands, friend)
        await friend.disconnect()
        await bench.advance(WHILE_SECONDS)
        _check_no_failure(bench, subject, "while every dial and stream failed")


async def check_survives_peers(subject: Subject) -> None:
    """Streams that are empty, cut off, or full of nonsense do not make it fail."""
    async with running(subject) as bench:
        for protocol in bench.swarm.installed.get(subject.name, ()):
            for number, garbage in enumerate(GARBAGE):
                for ends_cleanly in (True, False):
                    peer = bench.swarm.add_peer(f"{protocol} {number} {ends_cleanly}")
                    await _send(peer, protocol, garbage, ends_cleanly=ends_cleanly)
                    await bench.advance(WHILE_SECONDS)
        _check_no_failure(
            bench,
            subject,
            "at what a peer sent: for what breaks the protocol raise RemoteProtocolError or "
            "reset the stream",
        )


async def check_in_a_node(subject: Subject) -> None:
    """A real node takes it beside core's own plugins, and so does the command line."""
    companions = subject.companions()
    wanted = PluginSelection(enabled=(subject.name, *(one.info.name for one in companions)))
    config = NetworkConfig(
        listen=("/ip4/127.0.0.1/tcp/0",), plugins=wanted, settings=subject.settings()
    )
    async with no_leaks(), Node(config, plugins=companions) as node:
        status = await node.client.status()
        broken = [one["cause"] for one in status["broken"] if one["name"] == subject.name]
        assert not broken, f"beside core it is not used: {broken[0]}"
        told = status["plugins"][subject.name]
        assert told["state"] == "running", f"beside core it is {told['state']}: {told['cause']}"
    from peerloom._cli._app import core_app  # noqa: PLC0415 - typer, only here

    refused = extend_cli(core_app(), [subject.loaded])
    assert not refused, f"the command line does not take its commands: {refused[0].cause}"


async def drive(
    bench: Bench,
    subject: Subject,
    commands: Sequence[Command[Any]],
    peer: FakePeer | None = None,
    data: bytes = b"",
) -> None:
    """Let happen whatever may: events of core, commands, streams, time."""
    peer = peer or bench.swarm.add_peer("a peer")
    known: dict[type[Any], object] = {PeerId: peer.peer_id}
    with suppress(Refused):  # its gate may want nobody
        known[ConnectionInfo] = await peer.connect()
    for protocol in bench.swarm.installed.get(subject.name, ()):
        await _send(peer, protocol, data, ends_cleanly=True)
    for event in core_events(known):
        await bench.tell(event)
    async with anyio.create_task_group() as tasks:
        for command in commands or samples(subject.commands, known):
            tasks.start_soon(_call, bench, command)
        await bench.advance(WHILE_SECONDS)
        tasks.cancel_scope.cancel()  # some may take longer, and time stands still now


@asynccontextmanager
async def running(subject: Subject) -> AsyncGenerator[Bench, None]:
    """The plugin on a bench; fails when it does not start."""
    async with subject.bench() as bench:
        told = bench.status(subject.name)
        assert told["state"] == "running", f"it does not start: {told['cause']}"
        yield bench


async def _call(bench: Bench, command: Command[Any]) -> None:
    try:
        answer = await bench.client.call(command)
    except (PeerloomError, ValueError):  # what a command may raise: trouble, or a wrong argument
        return
    except BaseException as error:
        if not isinstance(error, Exception):
            raise
        raise AssertionError(
            f"{command} raised {describe(error)}: raise a PeerloomError that says what to do"
        ) from error
    if hasattr(answer, "reset"):
        answer.reset()


async def _send(peer: FakePeer, protocol: str, data: bytes, *, ends_cleanly: bool) -> None:
    try:
        stream = await peer.open_stream(protocol)
    except (Refused, ProtocolNotSupported):  # the plugin wants no such peer, or not any more
        return
    try:
        if data:
            await stream.send(data)
        if ends_cleanly:
            await stream.aclose()
    except (anyio.BrokenResourceError, anyio.ClosedResourceError):  # it was reset at once
        return
    if not ends_cleanly:
        stream.reset()


async def _fail() -> None:
    raise RuntimeError("a failure on purpose, to see the plugin built anew")


def _check_no_failure(bench: Bench, subject: Subject, when: str) -> None:
    failures = [one for one in bench.heard.of(PluginFailed) if one.plugin == subject.name]
    assert not failures, f"it failed in {failures[0].where}, {describe(failures[0].cause)}, {when}"
    state = bench.status(subject.name)["state"]
    assert state == "running", f"it is {state} {when}"


def _is_protocol_id(text: str) -> bool:
    return bool(_PROTOCOL_ID.fullmatch(text)) and len(text) <= _MAX_PROTOCOL_BYTES


def _answered(bench: Bench, subject: Subject) -> list[type[Command[Any]]]:
    table = bench._loop.command_table  # noqa: SLF001 - of the same distribution
    return [
        one
        for one, (owner, _) in table._entries.items()  # noqa: SLF001
        if owner.name == subject.name
        and f"{one.__module__}.".startswith(f"{subject.package.__name__}.")
    ]


def _footprint(bench: Bench, subject: Subject) -> dict[str, object]:
    return {
        "protocols": bench.swarm.installed.get(subject.name, ()),
        "commands": sorted(one.__name__ for one in _answered(bench, subject)),
    }
