"""A file from one node to another over a byte stream, checked by its hash.

    python examples/file_transfer.py offer FILE              # prints where
    python examples/file_transfer.py fetch ADDRESS [FOLDER]

A stream for bulk data holds the sender while the receiver is slow, so neither of them ever holds
more than a window in memory. (`peerloom send` and `peerloom receive` do more: they have tickets
in place of addresses, and go on where a transfer broke off.)
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
from anyio import to_thread
from anyio.streams.buffered import BufferedByteReceiveStream

from peerloom import NetworkConfig, Node, PeerloomError
from peerloom_stream import Streams

if TYPE_CHECKING:
    from anyio.abc import TaskStatus

    from peerloom import Multiaddr, Stream

FILE = "/example/file/1.0.0"
CHUNK_BYTES = 1 << 20
MAX_HEADER_BYTES = 4096


async def offer(
    node: Node, path: Path, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
) -> None:
    """Send a file to everybody who asks."""
    header = {"name": path.name, "sha256": await to_thread.run_sync(sha256, path)}
    async with (
        Streams(node.client).accept_bytes(FILE) as requests,
        anyio.create_task_group() as tasks,
    ):
        task_status.started()
        async for stream in requests:
            tasks.start_soon(send, stream, path, header)


async def send(stream: Stream, path: Path, header: dict[str, str]) -> None:
    """A line of JSON, then the file, then the end."""
    try:
        async with stream, await anyio.open_file(path, "rb") as file:
            await stream.send(json.dumps(header).encode() + b"\n")
            while chunk := await file.read(CHUNK_BYTES):
                await stream.send(chunk)
        print("sent to", stream.peer)
    except PeerloomError as error:
        print(f"{stream.peer} has gone: {error}")


async def fetch(node: Node, address: str | Multiaddr, folder: Path) -> Path:
    """Get the file that is offered there; gives where it is now.

    Raises ValueError when it is not what was offered: then nothing is left of it.
    """
    connection = await node.client.dial(address)
    async with await Streams(node.client).open_bytes(connection.peer, FILE) as stream:
        incoming = BufferedByteReceiveStream(stream)
        header = json.loads(await incoming.receive_until(b"\n", MAX_HEADER_BYTES))
        target = folder / file_name(header["name"])
        part = target.with_name(target.name + ".part")
        digest = hashlib.sha256()
        async with await anyio.open_file(part, "wb") as file:
            async for chunk in incoming:
                digest.update(chunk)
                await file.write(chunk)
    if digest.hexdigest() != header["sha256"]:
        part.unlink()
        raise ValueError(f"{target.name} did not arrive as it was offered: fetch it again")
    return part.rename(target)


def file_name(told: str) -> str:
    """What a peer calls its file, if that is a name and leads nowhere else."""
    if told in {"", ".", ".."} or Path(told).name != told:
        raise ValueError(f"{told!r} is no name of a file")
    return told


def sha256(path: Path) -> str:
    """The hash of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def main(*words: str) -> None:
    """One end or the other."""
    match words:
        case "offer", path:
            async with Node(NetworkConfig(listen=["/ip4/0.0.0.0/tcp/0"])) as node:
                print("fetch it from", *node.addresses, sep="\n  ")
                await offer(node, Path(path))
        case "fetch", address, *folder:
            async with Node() as node:
                print("stored as", await fetch(node, address, Path(*folder)))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    try:
        anyio.run(main, *sys.argv[1:])
    except KeyboardInterrupt:
        print()
