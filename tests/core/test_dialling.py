"""The order of addresses, the race between them, shared dials."""

from __future__ import annotations

import anyio
import pytest
from multiaddr import Multiaddr

from peerloom._swarm._dial_plan import needs_resolving, ranked
from peerloom._swarm._dial_race import PARALLEL, DialRace

TCP = Multiaddr("/ip4/203.0.113.1/tcp/1")
QUIC = Multiaddr("/ip4/203.0.113.1/udp/1/quic-v1")
PRIVATE = Multiaddr("/ip4/192.168.3.4/tcp/1")
RELAYED = Multiaddr(
    "/ip4/203.0.113.9/tcp/1/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN/p2p-circuit"
)
OWN_PRIVATE = Multiaddr("/ip4/192.168.7.7/tcp/9")


def test_quic_is_tried_before_tcp() -> None:
    assert ranked([TCP, QUIC]) == [QUIC, TCP]


def test_a_private_address_is_tried_first_only_when_we_share_its_network() -> None:
    assert ranked([TCP, PRIVATE], own=[OWN_PRIVATE]) == [PRIVATE, TCP]
    assert ranked([TCP, PRIVATE], own=[]) == [TCP, PRIVATE]


def test_relayed_addresses_come_last_and_doubles_once() -> None:
    assert ranked([RELAYED, TCP, TCP]) == [TCP, RELAYED]


def test_only_names_need_resolving() -> None:
    assert needs_resolving(Multiaddr("/dns4/example.org/tcp/1"))
    assert not needs_resolving(TCP)


def addresses(count: int) -> list[Multiaddr]:
    return [Multiaddr(f"/memory/{number}") for number in range(1, count + 1)]


class Scene:
    """Attempts that end when the test says so."""

    def __init__(self) -> None:
        self.started: list[Multiaddr] = []
        self.outcomes: dict[Multiaddr, str] = {}
        self.cancelled: list[Multiaddr] = []
        self.discarded: list[str] = []
        self.changed = anyio.Event()

    async def attempt(self, address: Multiaddr) -> str:
        self.started.append(address)
        self.changed.set()
        outcome = self.outcomes.get(address)
        if outcome == "fails":
            raise ConnectionRefusedError(str(address))
        if outcome is None:
            try:
                await anyio.sleep_forever()
            finally:
                self.cancelled.append(address)
        return str(outcome)

    async def discard(self, link: str) -> None:
        self.discarded.append(link)

    def race(self) -> DialRace[str]:
        return DialRace(self.attempt, self.discard, (OSError,))


async def test_the_first_to_finish_wins_and_the_others_are_cancelled() -> None:
    scene = Scene()
    silent, good = addresses(2)
    scene.outcomes = {good: "link"}
    with anyio.fail_after(5):
        assert await scene.race().run([silent, good], {}) == "link"
    assert scene.cancelled == [silent]


async def test_a_failure_starts_the_next_address_at_once_and_is_listed() -> None:
    scene = Scene()
    bad, good = addresses(2)
    scene.outcomes = {bad: "fails", good: "link"}
    race = scene.race()
    started = anyio.current_time()
    assert await race.run([bad, good], {}) == "link"
    assert anyio.current_time() - started < 0.25
    assert [address for address, _ in race.attempts] == [bad]


async def test_all_failures_are_listed() -> None:
    scene = Scene()
    every = addresses(5)
    scene.outcomes = dict.fromkeys(every, "fails")
    race = scene.race()
    assert await race.run(every, {}) is None
    assert [address for address, _ in race.attempts] == every


async def test_at_most_three_addresses_are_tried_at_once() -> None:
    scene = Scene()
    with anyio.move_on_after(1.5):
        await scene.race().run(addresses(6), {})
    assert len(scene.started) == PARALLEL


async def test_a_relay_is_tried_at_once_when_there_is_nothing_direct() -> None:
    scene = Scene()
    scene.outcomes = {RELAYED: "relayed"}
    started = anyio.current_time()
    assert await scene.race().run([RELAYED], {}) == "relayed"
    assert anyio.current_time() - started < 0.5


async def test_a_relay_waits_for_direct_addresses_for_one_second() -> None:
    scene = Scene()
    scene.outcomes = {RELAYED: "relayed"}
    started = anyio.current_time()
    with anyio.fail_after(5):
        assert await scene.race().run([TCP, RELAYED], {}) == "relayed"
    assert anyio.current_time() - started >= 1


async def test_a_name_that_is_slow_to_resolve_holds_no_other_address() -> None:
    scene = Scene()
    (good,) = addresses(1)
    scene.outcomes = {good: "link"}

    async def never() -> list[Multiaddr]:
        await anyio.sleep_forever()
        return []

    with anyio.fail_after(2):
        assert await scene.race().run([good], {Multiaddr("/dns4/a/tcp/1"): never}) == "link"


async def test_an_address_found_late_is_tried_and_a_failed_name_is_listed() -> None:
    scene = Scene()
    (good,) = addresses(1)
    scene.outcomes = {good: "link"}
    bad_name, good_name = Multiaddr("/dns4/a/tcp/1"), Multiaddr("/dns4/b/tcp/1")

    async def fails() -> list[Multiaddr]:
        raise OSError("no such name")

    async def finds() -> list[Multiaddr]:
        await anyio.lowlevel.checkpoint()
        return [good]

    race = scene.race()
    assert await race.run([], {bad_name: fails, good_name: finds}) == "link"
    assert [address for address, _ in race.attempts] == [bad_name]


async def test_a_defect_in_an_attempt_is_not_swallowed() -> None:
    async def attempt(_: Multiaddr) -> str:
        raise ZeroDivisionError

    race: DialRace[str] = DialRace(attempt, Scene().discard, (OSError,))
    with pytest.raises(ExceptionGroup):
        await race.run(addresses(1), {})
