"""A file goes from a sender to a receiver whole, or not at all."""

from __future__ import annotations

import errno
import os
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from attrs import evolve

from peerloom._errors import TransferBroken, TransferError
from peerloom._runtime import SystemRuntime
from peerloom._ticket import Ticket
from peerloom._transfer._events import FileRequested, FileServed
from peerloom._transfer._offer import offer_file
from peerloom._transfer._part import PartFile
from peerloom._transfer._receive import Progress, Stage, receive_file
from peerloom._transfer._sender import Sender
from peerloom._transfer._wire import Request, Response, Status
from tests.cli.pipe import ALICE, PipeClient, PipeEnd

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence
    from pathlib import Path

    from anyio.abc import TaskGroup

SIZE = 9 << 20  # three batches of the sender, the last one not full


class Scene:
    """Alice offers a file, Bob fetches it into a folder."""

    def __init__(self, folder: Path, group: TaskGroup) -> None:
        self.source = folder / "alice" / "holiday.mp4"
        self.target = folder / "bob"
        self.source.parent.mkdir()
        self.target.mkdir()
        self.events: list[object] = []
        self.progress: list[Progress] = []
        self._group = group

    async def offer(self, content: bytes) -> Ticket:
        self.source.write_bytes(content)
        self.offered = await offer_file(self.source, SystemRuntime())
        self.sender = Sender([self.offered], SystemRuntime(), self.events.append)
        return Ticket(ALICE, (), self.offered.content_hash, self.offered.size, self.offered.name)

    async def fetch(
        self, ticket: Ticket, *, cut_after: int | None = None, serve: Any = None
    ) -> Path:
        client = self.client(serve, [cut_after])
        return await receive_file(client, ticket, self.target, self.progress.append)

    def client(self, serve: Any = None, cuts: Sequence[int | None] = ()) -> Any:
        return PipeClient(self._group, serve or self.sender.serve, cuts)

    async def served(self) -> FileServed:
        with anyio.fail_after(5):
            while not any(isinstance(event, FileServed) for event in self.events):
                await anyio.lowlevel.checkpoint()
        return next(event for event in self.events if isinstance(event, FileServed))

    @property
    def parts(self) -> list[Path]:
        return list(self.target.glob(".*.part"))


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[Scene]:
    async with anyio.create_task_group() as group:
        yield Scene(folder, group)


@pytest.mark.parametrize("size", [0, 1, 4 << 20, SIZE])
async def test_file_arrives_whole_and_both_sides_know(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    async with scene(tmp_path) as play:
        path = await play.fetch(await play.offer(content))
        served = await play.served()
    assert path == play.target / "holiday.mp4"
    assert path.read_bytes() == content
    assert [one.name for one in play.target.iterdir()] == ["holiday.mp4"]
    assert (served.verified, served.sent_bytes, served.cause) == (True, size, None)
    assert play.progress[-1].done == size


async def test_file_broken_off_goes_on_where_it_stopped(tmp_path: Path) -> None:
    content = os.urandom(SIZE)
    async with scene(tmp_path) as play:
        ticket = await play.offer(content)
        with pytest.raises(TransferBroken, match="run the same command again"):
            await play.fetch(ticket, cut_after=5 << 20)
        kept = play.parts[0].stat().st_size
        assert 0 < kept < SIZE
        assert not (play.target / "holiday.mp4").exists()
        play.progress.clear()
        path = await play.fetch(ticket)
    assert path.read_bytes() == content
    assert play.progress[0].stage is Stage.CHECKING
    assert [event.offset for event in play.events if isinstance(event, FileRequested)] == [0, kept]
    assert play.parts == []


async def test_file_broken_off_many_times_arrives(tmp_path: Path) -> None:
    content = os.urandom(3 << 20)
    async with scene(tmp_path) as play:
        ticket = await play.offer(content)
        breaks = 0
        while True:
            try:
                path = await play.fetch(ticket, cut_after=400_000)
            except TransferBroken:
                breaks += 1
                continue
            break
    assert breaks >= 3
    assert path.read_bytes() == content


async def test_part_that_is_complete_already_only_gets_its_name(tmp_path: Path) -> None:
    async with scene(tmp_path) as play:
        ticket = await play.offer(b"all of it")
        part = PartFile(play.target, ticket.name, ticket.content_hash, ticket.size)
        part.append([b"all of it"])
        part.close()
        path = await play.fetch(ticket)
    assert path.read_bytes() == b"all of it"
    assert play.events == []


async def test_wrong_content_is_deleted_and_told(tmp_path: Path) -> None:
    content = os.urandom(SIZE)
    async with scene(tmp_path) as play:
        ticket = await play.offer(content)
        part = PartFile(play.target, ticket.name, ticket.content_hash, ticket.size)
        part.append([bytes(1000)])
        part.close()
        with pytest.raises(TransferError, match="SHA-256 is wrong, and it was deleted"):
            await play.fetch(ticket)
        served = await play.served()
        assert list(play.target.iterdir()) == []
        path = await play.fetch(ticket)
    assert not served.verified
    assert "hash" in (served.cause or "")
    assert path.read_bytes() == content


async def test_file_changed_after_the_ticket_is_refused(tmp_path: Path) -> None:
    async with scene(tmp_path) as play:
        ticket = await play.offer(b"first")
        play.source.write_bytes(b"other")
        os.utime(play.source, ns=(1, 1))
        with pytest.raises(TransferError, match="has changed at the sender"):
            await play.fetch(ticket)
        served = await play.served()
    assert served.cause == "the file has changed since it was offered"
    assert list(play.target.iterdir()) == []


async def test_file_deleted_after_the_ticket_is_refused(tmp_path: Path) -> None:
    async with scene(tmp_path) as play:
        ticket = await play.offer(b"first")
        play.source.unlink()
        with pytest.raises(TransferError, match="has changed at the sender"):
            await play.fetch(ticket)


async def test_file_changed_while_it_is_served_breaks_the_transfer(tmp_path: Path) -> None:
    async with scene(tmp_path) as play:
        ticket = await play.offer(os.urandom(SIZE))

        def touch(progress: Progress) -> None:
            play.progress.append(progress)
            os.utime(play.source, ns=(1, 1))

        client = play.client()
        with pytest.raises(TransferBroken):
            await receive_file(client, ticket, play.target, touch)
        served = await play.served()
        assert "has changed" in (served.cause or "")
        with pytest.raises(TransferError, match="has changed at the sender"):
            await play.fetch(ticket)
    assert not (play.target / "holiday.mp4").exists()


async def test_file_that_is_not_offered_is_refused(tmp_path: Path) -> None:
    async with scene(tmp_path) as play:
        ticket = evolve(await play.offer(b"x"), content_hash=bytes(32))
        with pytest.raises(TransferError, match="does not offer this file any more"):
            await play.fetch(ticket)
    assert list(play.target.iterdir()) == []


async def test_two_receivers_at_once_both_get_the_file(tmp_path: Path) -> None:
    content = os.urandom(SIZE)
    async with scene(tmp_path) as play:
        ticket = await play.offer(content)
        folders = [tmp_path / "one", tmp_path / "two"]
        async with anyio.create_task_group() as group:
            for folder in folders:
                folder.mkdir()
                client = play.client()
                group.start_soon(partial(receive_file, client, ticket, folder, lambda _: None))
    assert all((folder / "holiday.mp4").read_bytes() == content for folder in folders)


async def _serve(stream: PipeEnd, response: Response, content: bytes) -> None:
    await stream.receive()
    await stream.send(response.encode() + content)
    await stream.aclose()


@pytest.mark.parametrize(
    ("response", "content", "error"),
    [
        (Response(Status.OK, 4), b"wron", "SHA-256 is wrong"),
        (Response(Status.OK, 5), b"wrong", "another size"),
        (Response(Status.OK, 4), b"too much", "broke off"),
        (Response(Status.OK, 4), b"les", "broke off with 3 of 4 bytes"),
        (Response(Status.BAD_OFFSET), b"", "has less of this file"),
    ],
)
async def test_lying_sender_leaves_no_file(
    tmp_path: Path, response: Response, content: bytes, error: str
) -> None:
    async with scene(tmp_path) as play:
        ticket = await play.offer(b"true")
        serve = partial(_serve, response=response, content=content)
        with pytest.raises(TransferError, match=error):
            await play.fetch(ticket, serve=serve)
    assert not (play.target / "holiday.mp4").exists()


async def test_full_disk_says_so_and_keeps_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = os.urandom(SIZE)
    append = PartFile.append

    def fill_up(part: PartFile, chunks: Iterable[bytes]) -> None:
        append(part, chunks)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async with scene(tmp_path) as play:
        ticket = await play.offer(content)
        monkeypatch.setattr(PartFile, "append", fill_up)
        with pytest.raises(TransferError, match="No space left on device; mend that"):
            await play.fetch(ticket)
        monkeypatch.undo()
        assert play.parts[0].stat().st_size > 0
        path = await play.fetch(ticket)
    assert path.read_bytes() == content


async def test_cancelled_receiver_keeps_its_part_and_frees_it(tmp_path: Path) -> None:
    content = os.urandom(SIZE)
    async with scene(tmp_path) as play:
        ticket = await play.offer(content)
        with anyio.CancelScope() as scope:
            client = play.client()

            def stop_half_way(progress: Progress) -> None:
                if progress.done > SIZE // 2:
                    scope.cancel()

            await receive_file(client, ticket, play.target, stop_half_way)
        assert scope.cancelled_caught
        assert play.parts[0].stat().st_size > SIZE // 2
        served = await play.served()
        assert not served.verified
        path = await play.fetch(ticket)
    assert path.read_bytes() == content


@pytest.mark.parametrize("what", ["missing", "folder"])
async def test_what_is_no_file_is_not_offered(tmp_path: Path, what: str) -> None:
    path = tmp_path / what
    if what == "folder":
        path.mkdir()
    with pytest.raises(TransferError, match="cannot offer"):
        await offer_file(path, SystemRuntime())


async def test_file_that_grows_while_it_is_hashed_is_not_offered(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(bytes(100))

    def grow(_: int, __: int) -> None:
        with path.open("ab") as file:
            file.write(b"more")

    with pytest.raises(TransferError, match="changed while it was read"):
        await offer_file(path, SystemRuntime(), grow)


async def test_request_past_the_end_is_refused(tmp_path: Path) -> None:
    async with scene(tmp_path) as play:
        ticket = await play.offer(b"x")
        stream = await play.client().open_stream(ALICE, ())
        await stream.send(Request(ticket.content_hash, 2).encode())
        assert await stream.receive() == Response(Status.BAD_OFFSET).encode()
        with pytest.raises(anyio.EndOfStream):
            await stream.receive()
