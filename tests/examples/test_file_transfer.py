"""examples/file_transfer.py"""

from __future__ import annotations

import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest

from examples import file_transfer
from examples.file_transfer import FILE, fetch, file_name, offer
from peerloom import NetworkConfig, Node
from peerloom_stream import Streams

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from peerloom import Stream

CONTENT = random.Random(1).randbytes(3_000_000)  # several chunks, not a whole number of them


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.jpg"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (folder := tmp_path / "fetched").mkdir()
    return folder


@asynccontextmanager
async def offering(path: Path) -> AsyncGenerator[tuple[Node, Node]]:
    """A node that offers a file, and one that may fetch it."""
    config = NetworkConfig(listen=["/ip4/127.0.0.1/tcp/0"], strict=True)
    async with Node(config) as one, Node() as other, anyio.create_task_group() as tasks:
        await tasks.start(offer, one, path)
        yield one, other
        tasks.cancel_scope.cancel()


async def test_a_file_arrives_whole(picture: Path, folder: Path) -> None:
    async with offering(picture) as (one, other):
        fetched = await fetch(other, one.addresses[0], folder)

    assert fetched == folder / picture.name
    assert await anyio.Path(fetched).read_bytes() == CONTENT


async def test_of_a_file_that_changed_meanwhile_nothing_is_left(
    picture: Path, folder: Path
) -> None:
    async with offering(picture) as (one, other):
        await anyio.Path(picture).write_bytes(CONTENT + b"!")
        with pytest.raises(ValueError, match="fetch it again"):
            await fetch(other, one.addresses[0], folder)

    assert [path async for path in anyio.Path(folder).iterdir()] == []


async def test_who_hangs_up_or_is_cut_off_ends_the_offer_for_nobody_else(
    picture: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with offering(picture) as (one, other):
        (await _begun(one, other)).reset()
        await _begun(one, other)
        await one.client.disconnect(other.peer_id)
        fetched = await fetch(other, one.addresses[0], folder)

    assert await anyio.Path(fetched).read_bytes() == CONTENT
    assert capsys.readouterr().out.count(f"{other.peer_id} has gone: stream {FILE} with") == 2


async def _begun(one: Node, other: Node) -> Stream:
    """A stream on which much is still to come."""
    peer = (await other.client.dial(one.addresses[0])).peer
    stream = await Streams(other.client).open_bytes(peer, FILE)
    with anyio.fail_after(20):
        await stream.receive()
    return stream


@pytest.mark.parametrize("told", ["", ".", "..", "../up", "a/b", "/etc/passwd"])
def test_a_name_leads_nowhere_else(told: str) -> None:
    with pytest.raises(ValueError, match="is no name of a file"):
        file_name(told)


async def test_without_words_it_says_how_it_is_run() -> None:
    with pytest.raises(SystemExit) as caught:
        await file_transfer.main()

    assert caught.value.code == file_transfer.__doc__
