"""The same transfers between nodes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import anyio
import pytest

from peerloom import NetworkConfig, Node
from peerloom._addresses import split_peer
from peerloom._errors import TransferBroken, TransferError
from peerloom._runtime import SystemRuntime
from peerloom._ticket import Ticket
from peerloom._transfer import (
    FileRequested,
    FileServed,
    OfferedFile,
    Progress,
    TransferPlugin,
    offer_file,
    receive_file,
)

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 20 << 20
# Whatever has arrived is read to its end although the connection is cut: up to a window of 16 MiB.
MORE_THAN_A_WINDOW = 48 << 20


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "received"
    folder.mkdir()
    return folder


async def _offer(tmp_path: Path, size: int = SIZE) -> OfferedFile:
    path = tmp_path / "holiday.mp4"
    path.write_bytes(os.urandom(size))
    return await offer_file(path, SystemRuntime())


def _sender(*files: OfferedFile) -> Node:
    config = NetworkConfig(listen=["/ip4/127.0.0.1/tcp/0"], strict=True)
    return Node(config, plugins=[TransferPlugin(files)])


def _ticket(node: Node, file: OfferedFile) -> Ticket:
    addresses = tuple(split_peer(address)[0] for address in node.addresses)
    return Ticket(node.peer_id, addresses, file.content_hash, file.size, file.name)


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def _ignore(_: Progress) -> None:
    pass


@pytest.mark.parametrize("security", ["tls", "noise"])
async def test_file_goes_from_node_to_node(tmp_path: Path, target: Path, security: str) -> None:
    file = await _offer(tmp_path)
    async with (
        _sender(file) as sender,
        Node(NetworkConfig(security=[security], strict=True)) as receiver,
        sender.client.events(FileRequested, FileServed) as events,
    ):
        path = await receive_file(receiver.client, _ticket(sender, file), target, _ignore)
        assert (await anext(events)) == FileRequested(receiver.peer_id, file, 0)
        served = FileServed(receiver.peer_id, file, SIZE, verified=True, cause=None)
        assert (await anext(events)) == served
    assert path.read_bytes() == file.path.read_bytes()


async def test_file_goes_on_after_its_connection_was_cut(tmp_path: Path, target: Path) -> None:
    file = await _offer(tmp_path, MORE_THAN_A_WINDOW)
    async with (
        _sender(file) as sender,
        Node() as receiver,
        anyio.create_task_group() as group,
        sender.client.events(FileRequested) as requests,
    ):
        ticket = _ticket(sender, file)

        def cut(progress: Progress) -> None:
            if progress.done > 1 << 20:
                group.start_soon(receiver.client.disconnect, ticket.peer)

        with pytest.raises(TransferBroken, match="to go on from there"):
            await receive_file(receiver.client, ticket, target, cut)
        path = await receive_file(receiver.client, ticket, target, _ignore)
        offsets = [(await anext(requests)).offset for _ in range(2)]
        group.cancel_scope.cancel()
    assert offsets[0] == 0
    assert offsets[1] > 1 << 20
    assert path.read_bytes() == file.path.read_bytes()


async def test_peer_that_sends_no_files_says_so(tmp_path: Path, target: Path) -> None:
    file = await _offer(tmp_path, 10)
    config = NetworkConfig(listen=["/ip4/127.0.0.1/tcp/0"])
    async with Node(config) as other, Node() as receiver:
        with pytest.raises(TransferError, match="sends no files now; ask for a new ticket"):
            await receive_file(receiver.client, _ticket(other, file), target, _ignore)
    assert names_in(target) == []
