"""examples/chat.py"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

from examples.chat import CHAT, Chat
from peerloom import Multiaddr, NetworkConfig, Node
from peerloom_stream import Streams

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

CONFIG = NetworkConfig(listen=["/ip4/127.0.0.1/tcp/0"], strict=True)


class Person:
    """Somebody in the chat: types lines, and reads what is shown."""

    def __init__(self, node: Node, name: str) -> None:
        self._type, self._typed = anyio.create_memory_object_stream[str](10)
        self._shown, self._screen = anyio.create_memory_object_stream[str](10)
        self.address = node.addresses[0]
        self._chat = Chat(node, name, self._shown.send_nowait)

    async def run(self, *addresses: Multiaddr) -> None:
        with self._typed, self._shown:
            await self._chat.talk(self._typed, *addresses)

    def says(self, line: str) -> None:
        self._type.send_nowait(line)

    def leaves(self) -> None:
        self._type.close()

    async def reads(self) -> str:
        with anyio.fail_after(20):
            return await self._screen.receive()

    def close(self) -> None:
        self._type.close()
        self._screen.close()


@asynccontextmanager
async def person(name: str, *addresses: Multiaddr) -> AsyncGenerator[Person]:
    async with Node(CONFIG) as node, anyio.create_task_group() as tasks:
        it = Person(node, name)
        tasks.start_soon(it.run, *addresses)
        yield it
        it.close()


async def test_all_read_what_one_says_and_what_was_said_last() -> None:
    async with (
        person("Ann") as ann,
        person("Ben", ann.address) as ben,
        person("Cleo", ben.address) as cleo,
    ):
        cleo.says("hello\x1b[2J")
        heard = [await ben.reads(), await ann.reads()]
        ann.says("welcome")
        heard += [await ben.reads(), await cleo.reads()]
        cleo.says("goodbye")
        cleo.leaves()
        heard += [await ann.reads()]

    assert heard == ["Cleo: hello[2J"] * 2 + ["Ann: welcome"] * 2 + ["Cleo: goodbye"]


async def test_who_sends_nonsense_or_hangs_up_spoils_the_chat_for_nobody_else() -> None:
    async with person("Ann") as ann, Node() as foe:
        there = (await foe.client.dial(ann.address)).peer
        for last_words in (b"\xff" * 64, b"\x00"):  # a frame of 4 GiB; one that is cut short
            async with await Streams(foe.client).open_bytes(there, CHAT) as stream:
                await stream.send(last_words)
        (await Streams(foe.client).open_bytes(there, CHAT)).reset()
        async with person("Ben", ann.address) as ben:
            ben.says("still there?")
            assert await ann.reads() == "Ben: still there?"
            ann.says("yes")
            assert await ben.reads() == "Ann: yes"
