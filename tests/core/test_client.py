"""NetworkClient: commands that nobody handles, subscriptions, verbs."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from multiaddr import Multiaddr

from peerloom import Node
from peerloom._commands import (
    AddPeerAddresses,
    Connections,
    Dial,
    DialCondition,
    Disconnect,
    FindPeer,
    ListenOn,
    OpenStream,
    Perf,
    Ping,
    Protect,
    Unprotect,
)
from peerloom._errors import NoHandler
from peerloom._events import (
    Event,
    Lagged,
    ListenAddressExpired,
    ListenerClosed,
    ListeningOn,
)
from peerloom._subscriptions import PATIENT_BOUND, QUEUE_BOUND
from peerloom.testing import until
from peerloom_stream import AcceptBytes, OpenFramedStream
from tests.core.plugin_kit import (
    ALICE,
    BOB,
    Bench,
    Echo,
    Said,
    Shouted,
    plugin,
    running,
)

ADDRESS = Multiaddr("/ip4/127.0.0.1/tcp/2428")
TEXT: Any = str(ALICE)
OTHER = Multiaddr("/ip4/127.0.0.1/tcp/2429")


class TestNoHandler:
    async def advice(self, command: Any, *plugins: Any) -> str:
        async with running(*plugins) as bench:
            with pytest.raises(NoHandler) as raised:
                await bench.client.call(command)
            return str(raised.value)

    async def test_names_the_plugin_of_cores_commands(self) -> None:
        assert "core's plugin ping" in await self.advice(Ping(ALICE))
        assert "plugin swarm" in await self.advice(Connections())

    async def test_names_what_to_install_for_commands_that_plugins_of_ours_answer(
        self, core_alone: None
    ) -> None:
        advice = await self.advice(FindPeer(ALICE))
        assert advice == "FindPeer is answered by peerloom-kad, which is still to come"

    async def test_names_the_plugin_that_is_installed_but_not_active(self) -> None:
        advice = await self.advice(AcceptBytes("/x/1.0.0"))
        assert advice.startswith("AcceptBytes is answered by peerloom-stream, which is not active")

    async def test_names_the_module_of_others(self) -> None:
        assert "plugin of its module tests.core.plugin_kit" in await self.advice(Echo("x"))

    async def test_names_the_plugin_that_failed(self) -> None:
        async def answer(command: Echo) -> str:
            return ""

        async def fail() -> None:
            raise ValueError

        one: Any = plugin(
            setup=lambda ctx: setattr(one, "ctx", ctx),
            command_handlers=lambda ctx: [Echo.handled_by(answer)],
        )
        async with running(one) as bench:
            one.ctx.spawn(fail)
            await until(lambda: bench.host.status()["plugins"]["alpha"]["state"] == "waiting")
            with pytest.raises(NoHandler, match="plugin alpha, but it has failed"):
                await bench.client.call(Echo("x"))


class TestEvents:
    async def test_are_those_subscribed_to_with_their_subclasses(self) -> None:
        async with running() as bench, bench.client.events(Said) as events:
            await bench.tell(ListenerClosed(1, (), None))
            await bench.tell(Shouted("x"))
            assert await anext(events) == Shouted("x")

    async def test_slow_subscriber_gets_lagged_first_and_never_holds_the_loop(self) -> None:
        async with running() as bench, bench.client.events(Said) as events:
            for number in range(QUEUE_BOUND + 10):
                await bench.tell(Said(str(number)))
            await bench.settle()
            assert await anext(events) == Lagged(10)
            assert await anext(events) == Said("0")
            for number in range(1, QUEUE_BOUND):
                assert await anext(events) == Said(str(number))
            await bench.tell(Said("new"))
            assert await anext(events) == Said("new")

    async def test_a_producer_that_can_wait_loses_nothing_however_slow_the_subscriber_is(
        self,
    ) -> None:
        total = 3 * QUEUE_BOUND
        async with running() as bench, bench.client.events(Said) as events:
            loop = bench.loop

            async def produce() -> None:
                for number in range(total):
                    await loop.wait_for_room(Said)
                    loop.announce(Said(str(number)))

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(produce)
                await anyio.wait_all_tasks_blocked()
                assert loop.room_for(Said) == 0
                assert loop.room_for(Shouted) == 0
                await bench.tell(ListeningOn(1, ADDRESS))
                assert [await anext(events) for _ in range(total)] == [
                    Said(str(number)) for number in range(total)
                ]

    async def test_a_subscriber_that_lags_or_has_gone_is_not_waited_for(self) -> None:
        async with running() as bench:
            async with bench.client.events(Said):
                for number in range(PATIENT_BOUND):
                    await bench.tell(Said(str(number)))
                await bench.settle()
                assert bench.loop.room_for(Said) == 0
                for number in range(QUEUE_BOUND - PATIENT_BOUND + 1):
                    await bench.tell(Said(str(number)))
                await bench.loop.wait_for_room(Said)
                assert bench.loop.room_for(Said) > PATIENT_BOUND
            async with bench.client.events(Said), anyio.create_task_group() as tasks:
                for number in range(PATIENT_BOUND):
                    await bench.tell(Said(str(number)))
                await bench.settle()
                tasks.start_soon(bench.loop.wait_for_room, Said)
                await anyio.wait_all_tasks_blocked()
                assert bench.loop.room_for(ListeningOn) > PATIENT_BOUND
                bench.loop.close()

    async def test_subscription_ends_with_its_block(self) -> None:
        async with running() as bench:
            async with bench.client.events(Said) as events:
                pass
            await bench.tell(Said("x"))
            await bench.settle()
            assert [event async for event in events] == []

    async def test_subscription_that_is_not_entered_says_how_it_is(self) -> None:
        async with running() as bench:
            with pytest.raises(RuntimeError, match="<Subscription to Said> is not entered yet"):
                await anext(bench.client.events(Said))

    async def test_new_subscriber_of_listening_on_gets_the_present_addresses(self) -> None:
        async with running() as bench:
            for event in (
                ListeningOn(1, ADDRESS),
                ListeningOn(2, ADDRESS),
                ListeningOn(2, OTHER),
                ListeningOn(3, OTHER),
                ListenAddressExpired(2, ADDRESS),
                ListenerClosed(3, (OTHER,), None),
            ):
                await bench.tell(event)
            await bench.settle()
            async with bench.client.events(ListeningOn) as events:
                assert [await anext(events) for _ in range(2)] == [
                    ListeningOn(1, ADDRESS),
                    ListeningOn(2, OTHER),
                ]
            async with bench.client.events(Said) as others:
                await bench.tell(Said("x"))
                assert await anext(others) == Said("x")
            async with bench.client.events(Event) as everything:
                assert await anext(everything) == ListeningOn(1, ADDRESS)


class TestVerbs:
    async def sent_by(self, verb: Any) -> Any:
        """The command that a verb puts on the queue."""
        bench = Bench()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(verb, bench.client)
            await anyio.wait_all_tasks_blocked()
            command = bench.loop.commands.take().command
            tasks.cancel_scope.cancel()
        return command

    @pytest.mark.parametrize(
        ("verb", "command"),
        [
            (lambda c: c.listen_on(str(ADDRESS)), ListenOn(ADDRESS)),
            (lambda c: c.dial(str(ALICE)), Dial(ALICE)),
            (lambda c: c.dial(ALICE, [str(ADDRESS)]), Dial(ALICE, (ADDRESS,))),
            (lambda c: c.dial(f"{ADDRESS}/p2p/{ALICE}"), Dial(ALICE, (ADDRESS,))),
            (lambda c: c.dial(ADDRESS), Dial(None, (ADDRESS,))),
            (lambda c: c.dial(f"/p2p/{ALICE}"), Dial(ALICE)),
            (
                lambda c: c.dial(ALICE, condition=DialCondition.ALWAYS),
                Dial(ALICE, (), DialCondition.ALWAYS),
            ),
            (lambda c: c.disconnect(str(ALICE)), Disconnect(ALICE)),
            (lambda c: c.open_stream(ALICE, "/x"), OpenStream(ALICE, ("/x",))),
            (
                lambda c: c.open_stream(ALICE, ["/x", "/y"], allow_limited=True),
                OpenStream(ALICE, ("/x", "/y"), allow_limited=True),
            ),
            (lambda c: c.protect(str(BOB)), Protect(BOB)),
        ],
    )
    async def test_take_text_and_values(self, verb: Any, command: Any) -> None:
        assert await self.sent_by(verb) == command

    async def test_say_what_can_be_dialled(self) -> None:
        with pytest.raises(ValueError, match=r"such as /ip4/.*peer id; found 'localhost:80'"):
            await Bench().client.dial("localhost:80")

    @pytest.mark.parametrize("mistake", ["127.0.0.1:2428", (ADDRESS,), 80, None])
    async def test_say_what_an_address_looks_like(self, mistake: Any) -> None:
        client = Bench().client
        for verb in (client.listen_on, client.dial, client.add_external_address):
            with pytest.raises(ValueError, match="expected an address such as"):
                await verb(mistake)

    async def test_say_where_the_peer_id_is_that_they_want(self) -> None:
        with pytest.raises(ValueError, match="not a peer id, but an address: dial it"):
            await Bench().client.ping(f"{ADDRESS}/p2p/{ALICE}")
        mistake: Any = ADDRESS
        with pytest.raises(TypeError, match="expected a peer id, found <Multiaddr"):
            await Bench().client.ping(mistake)

    async def test_refuse_an_address_of_somebody_else(self) -> None:
        with pytest.raises(ValueError, match="not of"):
            await Bench().client.dial(ALICE, [f"{ADDRESS}/p2p/{BOB}"])


@pytest.mark.parametrize(
    "command",
    [
        Dial(TEXT),
        Disconnect(TEXT),
        OpenStream(TEXT, ("/x/1",)),
        Connections(TEXT),
        Protect(TEXT),
        Unprotect(TEXT),
        AddPeerAddresses(TEXT, (ADDRESS,)),
        Ping(TEXT),
        Perf(TEXT),
        OpenFramedStream(TEXT, "/x/1"),
    ],
    ids=lambda command: type(command).__name__,
)
async def test_a_command_for_a_peer_given_as_text_says_how_to_read_it(command: Any) -> None:
    async with Node() as node:
        with pytest.raises(TypeError, match="expected a PeerId"):
            await node.client.call(command)
        assert not (await node.client.status())["plugins"]["discovery"]["report"]["peers_protected"]
