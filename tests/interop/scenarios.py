"""The scenarios: each is a function of two parties, of which the first dials and opens.

Later protocols add functions here. `@scenario` takes the name of the row in the matrix, and the
settings of the foreign peer that make a variant of it.
"""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

import anyio
import pytest
from attrs import evolve, frozen

from . import lazy
from .driver import Peer, PeerError
from .frames import FRAMES, MAX_FRAME_BYTES
from .lazy import LATER
from .party import Party, PartyGone
from .pattern import pattern_sha256
from .pipe import StreamBroken

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from .party import Fields

MIB: Final = 1024 * 1024
SEED: Final = 20_251_122
SECURITIES: Final = {"tls": "/tls/1.0.0", "noise": "/noise"}
MUXER: Final = "/yamux/1.0.0"
LISTEN: Final = {"tcp": "/ip4/127.0.0.1/tcp/0", "quic": "/ip4/127.0.0.1/udp/0/quic-v1"}
STALL: Final = "/test/stall/1"
# Both sides of where a length takes one byte more.
FRAME_SIZES: Final = (0, 1, 127, 128, 16_383, 16_384, MAX_FRAME_BYTES, 0)
PENDING_BYTES: Final = 64 * MIB
# What may be under way when the reader stands still: a yamux window of at most 16 MiB, and what
# the kernels and the two muxers hold besides.
MAX_UNDER_WAY_BYTES: Final = 24 * MIB
MAX_GROWTH_BYTES: Final = 48 * MIB
_LOOK_SECONDS: Final = 0.05
_STILL_LOOKS: Final = 8


class Run(Protocol):
    """Play a scenario: `opener` has dialled `accepter` already."""

    async def __call__(self, opener: Party, accepter: Party) -> None: ...


@frozen
class Scenario:
    """One row of the matrix.

    Attributes:
        name: its name in the matrix.
        run: plays it.
        settings: of the foreign peer's ``start`` request.
    """

    name: str
    run: Run
    settings: dict[str, Any]
    ends_streams: ClassVar = True

    @property
    def transport(self) -> str:
        """What it is played over."""
        names: list[str] = self.settings.get("transports", ["tcp"])
        return names[0]

    @property
    def listen(self) -> str:
        """Where a party listens for it."""
        return LISTEN[self.transport]

    def __str__(self) -> str:
        return "-".join(re.findall(r"\w+", self.name))


SCENARIOS: Final[list[Scenario]] = []


def scenario(name: str, **settings: Any) -> Callable[[Run], Run]:
    """Add a row to the matrix."""

    def add(run: Run) -> Run:
        SCENARIOS.append(Scenario(name, run, {"security": ["tls"], **settings}))
        return run

    return add


async def _agree_on(security: str, opener: Party, accepter: Party) -> None:
    for party, other, direction in ((opener, accepter, "outbound"), (accepter, opener, "inbound")):
        [connection] = await party.connections()
        assert connection["peer"] == other.id
        assert connection["direction"] == direction
        assert connection["encryption"] in (SECURITIES[security], None)
        assert connection["muxer"] in (MUXER, None)
    await _echo(opener, accepter, MIB)


for _name in SECURITIES:
    scenario(f"tcp, {_name}, yamux", security=[_name])(partial(_agree_on, _name))


@scenario("tcp, the opener's choice of two, yamux", security=["noise", "tls"])
async def _agree_on_the_first_choice(opener: Party, accepter: Party) -> None:
    await _agree_on("noise" if isinstance(opener, Peer) else "tls", opener, accepter)


@scenario("disconnect")
async def _disconnect(opener: Party, accepter: Party) -> None:
    await opener.disconnect(accepter.id)
    await opener.event("disconnected", peer=accepter.id)
    await accepter.event("disconnected", peer=opener.id)
    assert await opener.connections() == await accepter.connections() == []


@scenario("identify")
async def _identify(opener: Party, accepter: Party) -> None:
    for party, other in ((opener, accepter), (accepter, opener)):
        told = await party.event("identified", peer=other.id)
        assert told["agent"]
        assert {"/test/echo/1", "/ipfs/id/1.0.0", "/ipfs/ping/1.0.0"} <= set(told["protocols"])
        listening = other.address.removesuffix(f"/p2p/{other.id}")
        assert listening in {
            address.removesuffix(f"/p2p/{other.id}") for address in told["addresses"]
        }
        known = await party.identify(other.id)
        assert known["agent"] == told["agent"]


@scenario("identify push")
async def _identify_push(opener: Party, accepter: Party) -> None:
    for party, other in ((opener, accepter), (accepter, opener)):
        await party.event("identified", peer=other.id)
    await opener.handle(LATER)
    await accepter.event(
        "identified", peer=opener.id, where=lambda event: LATER in event["protocols"]
    )
    [echoed] = (await accepter.run("echo", opener.id, MIB, SEED, protocol=LATER))["streams"]
    assert echoed["received_sha256"] == pattern_sha256(SEED, MIB)
    seen = len(accepter.events)
    await opener.unhandle(LATER)
    await accepter.event(
        "identified",
        peer=opener.id,
        where=lambda event: LATER not in event["protocols"],
        after=seen,
    )


@scenario("ping")
async def _ping(opener: Party, accepter: Party) -> None:
    for _ in range(3):
        assert 0 <= await opener.ping(accepter.id) < 5_000


scenario("lazy negotiation: served")(lazy.served)
scenario("lazy negotiation: refused")(lazy.refused)


@scenario("perf")
async def _perf(opener: Party, accepter: Party) -> None:
    assert await opener.perf(accepter.id, upload=10 * MIB, download=10 * MIB) > 0


for _name in SECURITIES:

    @scenario(f"echo of 10 MiB, {_name}", security=[_name])
    async def _echo_10_mib(opener: Party, accepter: Party) -> None:
        await _echo(opener, accepter, 10 * MIB)


@scenario("100 streams at once")
async def _many_streams(opener: Party, accepter: Party) -> None:
    await _echo(opener, accepter, MIB // 4, streams=100)


@scenario("sink and source of 10 MiB")
async def _sink_and_source(opener: Party, accepter: Party) -> None:
    expected = pattern_sha256(SEED, 10 * MIB)
    sunk = await opener.run("sink", accepter.id, 10 * MIB, SEED)
    assert (sunk["reported"], sunk["reported_sha256"]) == (10 * MIB, expected)
    drawn = await opener.run("source", accepter.id, 10 * MIB, SEED)
    assert (drawn["received"], drawn["received_sha256"]) == (10 * MIB, expected)


@scenario("frames, from empty to 1 MiB")
async def _frames(opener: Party, accepter: Party) -> None:
    returned = await opener.frames(accepter.id, FRAME_SIZES, SEED)
    expected = pattern_sha256(SEED, sum(FRAME_SIZES))
    assert returned["sizes"] == list(FRAME_SIZES)
    assert returned["sent_sha256"] == returned["received_sha256"] == expected
    ended = await accepter.event("stream-ended", protocol=FRAMES)
    assert (ended["how"], ended["error"]) == ("end", None)


@scenario("half-close")
async def _half_close(opener: Party, accepter: Party) -> None:
    returned = await opener.run("half-close", accepter.id, MIB, SEED)
    assert returned["received_sha256"] == pattern_sha256(SEED, MIB)
    for party in (opener, accepter):
        ended = await party.event("stream-ended", protocol="/test/half-close/1")
        assert (ended["how"], ended["error"]) == ("end", None)


@scenario("reset by the accepter")
async def _reset_by_accepter(opener: Party, accepter: Party) -> None:
    seen = await opener.run("expect-reset", accepter.id, 1000, SEED)
    assert seen["how"] == "reset"
    await _echo(opener, accepter, 1000)


@scenario("reset by the opener")
async def _reset_by_opener(opener: Party, accepter: Party) -> None:
    await opener.run("send-reset", accepter.id, 1000, SEED)
    await accepter.event("stream-ended", protocol="/test/echo/1", how="reset")
    await _echo(opener, accepter, 1000)


@scenario("slow reader: the accepter, 64 MiB pending")
async def _slow_accepter(opener: Party, accepter: Party) -> None:
    run = partial(opener.run, "sink", accepter.id, PENDING_BYTES, SEED, protocol=STALL)
    async with _held(run, sender=opener, reader=accepter, protocol=STALL) as outcome:
        pass
    assert outcome["reported"] == PENDING_BYTES
    assert outcome["reported_sha256"] == pattern_sha256(SEED, PENDING_BYTES)


@scenario("slow reader: the opener, 64 MiB pending")
async def _slow_opener(opener: Party, accepter: Party) -> None:
    protocol = "/test/source/1"
    run = partial(opener.run, "source", accepter.id, PENDING_BYTES, SEED, hold=True)
    async with _held(run, sender=accepter, reader=opener, protocol=protocol) as outcome:
        pass
    assert outcome["received"] == PENDING_BYTES
    assert outcome["received_sha256"] == pattern_sha256(SEED, PENDING_BYTES)


# An idle timeout of 30 s begins again with a packet that is sent (RFC 9000, 10.1): the ping that we
# send after 10 s of silence. That and the timers' slack.
QUIC_SILENCE_SECONDS: Final = 45


async def _kill(within: float, opener: Party, accepter: Party) -> None:
    killed, left = (opener, accepter) if isinstance(opener, Peer) else (accepter, opener)
    assert isinstance(killed, Peer)

    async def send() -> None:
        with pytest.raises((PartyGone, PeerError, StreamBroken)):
            await opener.run("sink", accepter.id, 4 * PENDING_BYTES, SEED, protocol=STALL)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(send)
        for party in (left, killed):  # ours opens it before the other side has heard of it
            await party.event("stream-opened", protocol=STALL)
        killed.kill()
        await left.event("disconnected", peer=killed.id, within=within)
        if left is accepter:
            [stalled] = await left.streams()
            await left.release(stalled["stream"])
        await left.event("stream-ended", protocol=STALL, how="reset", within=5)
    assert await left.connections() == []


scenario("kill -9")(partial(_kill, 5))


async def _agree_on_quic(opener: Party, accepter: Party) -> None:
    for party, other, direction in ((opener, accepter, "outbound"), (accepter, opener, "inbound")):
        [connection] = await party.connections()
        assert (connection["peer"], connection["direction"]) == (other.id, direction)
        assert "/quic-v1" in connection["address"]
    await _echo(opener, accepter, MIB)


async def _identity(opener: Party, accepter: Party) -> None:
    await _echo(opener, accepter, MIB)
    for party, other in ((opener, accepter), (accepter, opener)):
        await party.event("identified", peer=other.id)


for _type in ("secp256k1", "rsa", "ecdsa"):  # the rows above are played with Ed25519 keys
    for _name in SECURITIES:
        scenario(f"identity: {_type}, {_name}", identity=_type, security=[_name])(_identity)


def _over_quic() -> list[Scenario]:
    """The same rows over QUIC, as far as they are not about what QUIC does not have."""
    others = {
        "tcp, tls, yamux": Scenario("quic", _agree_on_quic, {}),
        # There is no broken pipe: the idle timeout tells, which is 10 s in js-libp2p, 30 elsewhere.
        "kill -9": Scenario("quic: kill -9", partial(_kill, QUIC_SILENCE_SECONDS), {}),
    }
    played = []
    for each in SCENARIOS:
        if "noise" in each.settings["security"]:
            continue
        name = f"quic: {each.name.removesuffix(', tls')}"
        row = others.get(each.name, evolve(each, name=name))
        settings = {**each.settings, "transports": ["quic"], "listen": [LISTEN["quic"]]}
        played.append(evolve(row, settings=settings))
    return played


SCENARIOS.extend(_over_quic())


async def _echo(opener: Party, accepter: Party, nbytes: int, **more: Any) -> None:
    expected = pattern_sha256(SEED, nbytes)
    answer = await opener.run("echo", accepter.id, nbytes, SEED, **more)
    assert len(answer["streams"]) == more.get("streams", 1)
    for stream in answer["streams"]:
        assert (stream["sent"], stream["received"]) == (nbytes, nbytes)
        assert stream["sent_sha256"] == stream["received_sha256"] == expected


@asynccontextmanager
async def _held(
    run: Callable[[], Any], *, sender: Party, reader: Party, protocol: str
) -> AsyncIterator[Fields]:
    """Run a script whose reader stands still; prove that the sender is held; let it go on."""
    outcome: Fields = {}

    async def play() -> None:
        outcome.update(await run())

    before = _memory_of(sender, reader)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(play)
        opened = await reader.event("stream-opened", protocol=protocol)
        await sender.event("stream-opened", protocol=protocol)
        under_way = await _standstill(sender)
        assert 0 < under_way <= MAX_UNDER_WAY_BYTES
        assert [each["received"] for each in await reader.streams()] == [0]
        assert _memory_of(sender, reader) - before <= MAX_GROWTH_BYTES
        await reader.release(opened["stream"])
    assert _memory_of(sender, reader) - before <= MAX_GROWTH_BYTES
    yield outcome


async def _standstill(sender: Party) -> int:
    """The bytes that a sender has brought under way when it does not come further."""
    sent, looks = 0, 0
    while looks < _STILL_LOOKS:
        await anyio.sleep(_LOOK_SECONDS)
        [stream] = await sender.streams()
        looks = looks + 1 if stream["sent"] == sent > 0 else 0
        sent = stream["sent"]
    return sent


def _memory_of(*parties: Party) -> int:
    return sum(party.memory_bytes() for party in parties if not isinstance(party, Peer))
