"""Embedding in asyncio: a web application with a node in it, which sends and receives letters.

    pip install fastapi "uvicorn[standard]" peerloom peerloom-stream
    uvicorn --port 8001 examples.fastapi_app:app
    uvicorn --port 8002 examples.fastapi_app:app
    curl localhost:8001/node                     # the address of the first one's node
    curl localhost:8002/letters --json '{"to": "/ip4/…/p2p/12D3KooW…", "text": "hello"}'

What arrives goes to everybody who has the web socket `/letters` open. The node starts and stops
with the application.
"""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Annotated, Any

import anyio
from fastapi import APIRouter, Depends, FastAPI, Request, WebSocket
from fastapi.requests import HTTPConnection  # noqa: TC002 - FastAPI reads annotations
from fastapi.responses import JSONResponse
from pydantic import BaseModel, field_validator

from peerloom import Multiaddr, NetworkConfig, Node, PeerId, PeerloomError
from peerloom_stream import Streams

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

    from peerloom_stream import FramedStream, IncomingStreams

LETTERS = "/example/letters/1.0.0"
Arrived = dict[str, str]  # a letter as JSON


class Letter(BaseModel):
    """What is sent, and to which address or peer id."""

    to: str
    text: str

    @field_validator("to")
    @classmethod
    def check(cls, to: str) -> str:
        return str(Multiaddr(to) if to.startswith("/") else PeerId.from_string(to))


class Inbox:
    """The node, and whoever reads what comes."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._readers: set[MemoryObjectSendStream[Arrived]] = set()

    async def take_in(self, incoming: IncomingStreams[FramedStream]) -> None:
        """Let everybody in who brings letters."""
        async with anyio.create_task_group() as tasks:
            async for stream in incoming:
                tasks.start_soon(self._read, stream)

    async def _read(self, stream: FramedStream) -> None:
        with suppress(PeerloomError):  # it broke off
            async with stream:
                async for message in stream:
                    text = message.data.decode(errors="replace")
                    for reader in self._readers:
                        with suppress(anyio.WouldBlock):  # it reads too slowly
                            reader.send_nowait({"from": str(stream.peer), "text": text})

    @contextmanager
    def reader(self) -> Generator[MemoryObjectReceiveStream[Arrived]]:
        """What comes from now on."""
        reader, letters = anyio.create_memory_object_stream[Arrived](100)
        with reader, letters:
            self._readers.add(reader)
            try:
                yield letters
            finally:
                self._readers.remove(reader)


def inbox_of(connection: HTTPConnection) -> Inbox:
    return connection.state.inbox  # type: ignore[no-any-return]


TheInbox = Annotated[Inbox, Depends(inbox_of)]
router = APIRouter()


@router.get("/node")
async def node(inbox: TheInbox) -> dict[str, list[str]]:
    """Who this node is, where it listens, and whom it is connected to."""
    peers = await inbox.node.client.peers()
    return {"addresses": list(map(str, inbox.node.addresses)), "peers": list(map(str, peers))}


@router.post("/letters", status_code=204)
async def send(letter: Letter, inbox: TheInbox) -> None:
    """Send a letter; dials when there is no connection yet."""
    connection = await inbox.node.client.dial(letter.to)
    async with await Streams(inbox.node.client).open(connection.peer, LETTERS) as stream:
        await stream.send(letter.text.encode())


@router.websocket("/letters")
async def receive(socket: WebSocket, inbox: TheInbox) -> None:
    """Every letter that arrives, as JSON, until the browser leaves."""
    with inbox.reader() as letters:
        await socket.accept()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(forward, letters, socket)
            async for _ in socket.iter_text():
                pass
            tasks.cancel_scope.cancel()


async def forward(letters: MemoryObjectReceiveStream[Arrived], socket: WebSocket) -> None:
    async for letter in letters:
        await socket.send_json(letter)


async def tell_error(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, status_code=502)


def create_app(config: NetworkConfig) -> FastAPI:
    """The application, around a node of that configuration."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[dict[str, Any]]:
        async with (
            Node(config) as node,
            Streams(node.client).accept(LETTERS) as incoming,
            anyio.create_task_group() as tasks,
        ):
            inbox = Inbox(node)
            tasks.start_soon(inbox.take_in, incoming)
            yield {"inbox": inbox}
            tasks.cancel_scope.cancel()

    app = FastAPI(title="Letters", lifespan=lifespan)
    app.include_router(router)
    app.add_exception_handler(PeerloomError, tell_error)
    return app


app = create_app(NetworkConfig(listen=["/ip4/0.0.0.0/tcp/0"]))
