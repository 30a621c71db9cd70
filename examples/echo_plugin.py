"""A protocol of your own as a plugin, in one file: a command, an event, a setting, a typed client.

    python examples/echo_plugin.py

One object may serve several nodes of a process, and each of them several times, since a plugin
that fails is built anew: what is kept belongs to a `PluginContext`. (`peerloom new-plugin NAME`
writes a whole distribution of this kind, with tests and metadata, for others to install.)
"""

from __future__ import annotations

import anyio
from attrs import field, frozen
from attrs.validators import ge

from peerloom import Command, Event, NetworkClient, NetworkConfig, Node, PeerId, Stream
from peerloom.plugin import (
    Behaviour,
    CommandHandler,
    ConfigSection,
    InboundProtocol,
    PluginContext,
    PluginInfo,
    hookimpl,
)

ECHO = "/example/echo/1.0.0"


@frozen
class EchoConfig:
    """Settings of the section ``echo``.

    Attributes:
        max_bytes: longer ones are refused: the stream is reset.
    """

    max_bytes: int = field(default=65536, validator=ge(1))


@frozen
class Echo(Command[bytes]):
    """Have a peer send something back; answers with what came.

    Attributes:
        peer: who shall do it.
        data: what to send.
    """

    peer: PeerId
    data: bytes


@frozen
class Echoed(Event):
    """This node has sent something back.

    Attributes:
        peer: to whom.
        size: how many bytes.
    """

    peer: PeerId
    size: int


class EchoBehaviour(Behaviour):
    """The side that answers."""

    def __init__(self, ctx: PluginContext) -> None:
        self._ctx = ctx
        self._config: EchoConfig = ctx.config
        self.protocols = {ECHO: InboundProtocol(self._serve, max_streams_per_peer=4)}

    async def _serve(self, stream: Stream) -> None:
        """Serve one stream. What this raises resets the stream, and costs the node nothing."""
        async with stream:
            data = await stream.receive_all(self._config.max_bytes)
            await stream.send(data)
        self._ctx.emit(Echoed(stream.peer, len(data)))


class EchoPlugin:
    """What a node asks for, hook by hook."""

    info = PluginInfo("echo")

    @hookimpl
    def peerloom_config_sections(self) -> list[ConfigSection]:
        """Its settings; what is set there is `ctx.config`."""
        return [ConfigSection("echo", EchoConfig, "Sending back what others send")]

    @hookimpl
    def peerloom_behaviours(self, ctx: PluginContext) -> list[Behaviour]:
        """What others may ask of this node."""
        return [EchoBehaviour(ctx)]

    @hookimpl
    def peerloom_command_handlers(self, ctx: PluginContext) -> list[CommandHandler]:
        """What the application may ask of this node."""

        async def ask(command: Echo) -> bytes:
            async with await ctx.open_stream(command.peer, [ECHO]) as stream:
                await stream.send(command.data)
                await stream.send_eof()
                return await stream.receive_all(len(command.data))

        return [Echo.handled_by(ask)]


class EchoClient:
    """The command as a method; without the plugin, NoHandler says so at once."""

    def __init__(self, client: NetworkClient) -> None:
        client.require(Echo)
        self._client = client

    async def echo(self, peer: PeerId, text: str) -> str:
        """Have a peer send back a text."""
        return (await self._client.call(Echo(peer, text.encode()))).decode()


async def main() -> None:
    """One node asks another."""
    config = NetworkConfig(listen=["/ip4/127.0.0.1/tcp/0"], settings={"echo": {"max_bytes": 1000}})
    ann, ben = Node(config, plugins=[EchoPlugin()]), Node(plugins=[EchoPlugin()])
    async with ann, ben, ann.client.events(Echoed) as events:
        await ben.client.dial(ann.addresses[0])
        print(await EchoClient(ben.client).echo(ann.peer_id, "hello"))
        print(await anext(events))


if __name__ == "__main__":
    anyio.run(main)
