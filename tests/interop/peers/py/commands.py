"""Commands: one method for each request of README.md."""

from __future__ import annotations

import logging
import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import trio
from libp2p.abc import INotifee
from libp2p.host.ping import PingService
from libp2p.identity.identify_push.identify_push import push_identify_to_peers
from libp2p.peer.id import ID
from libp2p.perf.perf_service import PerfService
from multiaddr import Multiaddr

from tests.interop.frames import FRAMES
from tests.interop.scripts import ECHO, SCRIPTS, Task, echo, frames
from tests.interop.served import SERVED, STALL
from tests.interop.served import echo as serve_echo
from tests.interop.streams import Streams

from .channel import BadRequest, Channel, Fields, Unsupported
from .fields import complete, required
from .gossip import Gossip
from .host import create_host
from .identified import Identified
from .pipe import LibPipe

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import anyio

    from tests.interop.pipe import Pipe

    _Script = Callable[[Pipe, Task], Awaitable[Fields]]

_START: Final[Fields] = {
    "identity": "ed25519",
    "secret": None,
    "security": ["tls", "noise"],
    "transports": ["tcp"],
    "muxers": ["yamux"],
    "listen": ["/ip4/127.0.0.1/tcp/0"],
    "gossipsub": None,
}
# It has more than this program makes of it; see README.md, "Features to be switched on".
_NOT_HERE: Final = (
    "kad",
    "mdns",
    "rendezvous",
    "relay",
    "dcutr",
    "autonat",
    "external",
)
_MORE: Final[dict[str, Fields]] = {"source": {"hold": False}}


class Commands:
    def __init__(self, channel: Channel, nursery: trio.Nursery) -> None:
        self._channel = channel
        self._nursery = nursery
        self._host: Any = None
        self._streams = Streams(channel.emit)
        self._identified = Identified(channel)
        self._gossip: Gossip | None = None
        self._table = self._commands()

    async def handle(self, request: Fields) -> Fields | None:
        name = request.pop("do", None)
        if name not in self._table:
            raise BadRequest(f"no command {name}")
        if (name == "start") != (self._host is None):
            raise BadRequest("start comes first, once")
        if name == "start":
            _refuse_what_is_not_here(request)
        defaults, run = self._table[name]
        return await run(complete(request, defaults))

    def _commands(
        self,
    ) -> dict[str, tuple[Fields, Callable[[Fields], Awaitable[Fields | None]]]]:
        peer = required("peer")
        return {
            "start": (_START, self._start),
            "listen-addresses": ({}, self._listen_addresses),
            "dial": (required("address"), self._dial),
            "disconnect": (peer, self._disconnect),
            "connections": ({}, self._connections),
            "identify": (peer, self._identify),
            "handle": (required("protocol"), self._handle),
            "unhandle": (required("protocol"), self._unhandle),
            "ping": (peer, self._ping),
            "perf": (required("peer", "upload", "download"), self._perf),
            "echo": (_script(ECHO, streams=1), self._echo),
            "frames": (
                {**required("peer", "sizes", "seed"), "protocol": FRAMES},
                self._frames,
            ),
            "release": (required("stream"), self._release),
            "streams": ({}, self._list_streams),
            "publish": (required("topic", "bytes", "seed"), self._gossips("publish")),
            **{
                name: (required("topic"), self._gossips(name))
                for name in ("subscribe", "unsubscribe", "mesh", "subscribers")
            },
            **{
                name: (_script(protocol, **_MORE.get(name, {})), self._runs(script))
                for name, (protocol, script) in SCRIPTS.items()
            },
        }

    async def _start(self, settings: Fields) -> Fields:
        host: Any = create_host(settings)
        self._identified.listen()
        host.get_network().register_notifee(_Notifee(self._channel))
        await self._nursery.start(_keep_running, host, settings["listen"])
        self._host = host
        for protocol, behaviour in SERVED.items():
            self._serve(protocol, behaviour, held=protocol == STALL)
        await PerfService(host).start()
        if settings["gossipsub"] is not None:
            self._gossip = Gossip(settings["gossipsub"], host, self._channel)
            await self._nursery.start(self._gossip.run)
        return {
            "peer": host.get_id().to_string(),
            **await self._listen_addresses({}),
            "implementation": "py-libp2p",
            "version": version("libp2p"),
        }

    async def _listen_addresses(self, _fields: Fields) -> Fields:
        return {"addresses": [str(address) for address in self._host.get_addrs()]}

    async def _dial(self, fields: Fields) -> Fields:
        address = Multiaddr(fields["address"])
        peer = ID.from_string(str(address).rpartition("/p2p/")[2])
        await self._swarm.dial_addr(address, peer)
        return {"peer": peer.to_string()}

    async def _disconnect(self, fields: Fields) -> None:
        await self._host.disconnect(ID.from_string(fields["peer"]))

    async def _connections(self, _fields: Fields) -> Fields:
        return {"connections": [_describe(each) for each in self._swarm.get_connections()]}

    async def _identify(self, fields: Fields) -> Fields:
        return self._identified.facts(fields["peer"])

    async def _handle(self, fields: Fields) -> None:
        self._serve(fields["protocol"], serve_echo)
        await push_identify_to_peers(self._host)

    async def _unhandle(self, fields: Fields) -> None:
        self._host.remove_stream_handler(fields["protocol"])
        await push_identify_to_peers(self._host)

    async def _ping(self, fields: Fields) -> Fields:
        [milliseconds] = await PingService(self._host).ping(ID.from_string(fields["peer"]))
        return {"milliseconds": milliseconds}

    async def _perf(self, fields: Fields) -> Fields:
        target = Multiaddr(f"/p2p/{fields['peer']}")
        begun = time.perf_counter()
        run = PerfService(self._host).measure_performance
        async for _progress in run(target, fields["upload"], fields["download"]):
            pass
        return {"seconds": time.perf_counter() - begun}

    async def _echo(self, fields: Fields) -> Fields:
        streams = [await self._open(fields) for _ in range(fields["streams"])]
        outcomes: list[Fields] = []

        async def one(stream: Any) -> None:
            outcomes.append(await self._run_on(stream, fields, echo))

        async with trio.open_nursery() as nursery:
            for stream in streams:
                nursery.start_soon(one, stream)
        return {"streams": outcomes}

    def _gossips(self, name: str) -> Callable[[Fields], Awaitable[Fields | None]]:
        async def ask(fields: Fields) -> Fields | None:
            if self._gossip is None:
                raise Unsupported("gossipsub is not switched on")
            answer: Fields | None = await getattr(self._gossip, name)(**fields)
            return answer

        return ask

    def _runs(self, script: _Script) -> Callable[[Fields], Awaitable[Fields]]:
        async def run(fields: Fields) -> Fields:
            return await self._run_on(await self._open(fields), fields, script)

        return run

    async def _frames(self, fields: Fields) -> Fields:
        stream = await self._open(fields)

        async def run(pipe: Pipe, _released: anyio.Event) -> Fields:
            return await frames(pipe, fields["sizes"], fields["seed"])

        return await self._run_script(stream, fields, run)

    async def _run_on(self, stream: Any, fields: Fields, script: _Script) -> Fields:
        async def run(pipe: Pipe, released: anyio.Event) -> Fields:
            return await script(pipe, Task(fields["bytes"], fields["seed"], released))

        return await self._run_script(stream, fields, run)

    async def _run_script(
        self,
        stream: Any,
        fields: Fields,
        run: Callable[[Pipe, anyio.Event], Awaitable[Fields]],
    ) -> Fields:
        return await self._streams.run(
            LibPipe(stream),
            run,
            peer=fields["peer"],
            protocol=fields["protocol"],
            role="opener",
            held=fields.get("hold", False),
        )

    async def _release(self, fields: Fields) -> None:
        try:
            self._streams.release(fields["stream"])
        except LookupError as error:
            raise BadRequest(str(error)) from None

    async def _list_streams(self, _fields: Fields) -> Fields:
        return {"streams": self._streams.list()}

    async def _open(self, fields: Fields) -> Any:
        return await self._host.new_stream(ID.from_string(fields["peer"]), [fields["protocol"]])

    def _serve(
        self,
        protocol: str,
        behaviour: Callable[[Pipe, anyio.Event], Awaitable[None]],
        *,
        held: bool = False,
    ) -> None:
        async def serve(stream: Any) -> None:
            try:
                await self._streams.run(
                    LibPipe(stream),
                    behaviour,
                    peer=stream.muxed_conn.peer_id.to_string(),
                    protocol=protocol,
                    role="accepter",
                    held=held,
                )
            except Exception:
                logging.getLogger("peer").exception(protocol)

        self._host.set_stream_handler(protocol, serve)

    @property
    def _swarm(self) -> Any:
        return self._host.get_network()


class _Notifee(INotifee):
    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def connected(self, _network: Any, conn: Any) -> None:
        self._channel.emit("connected", peer=conn.muxed_conn.peer_id.to_string())

    async def disconnected(self, _network: Any, conn: Any) -> None:
        self._channel.emit("disconnected", peer=conn.muxed_conn.peer_id.to_string())

    async def opened_stream(self, *_args: Any) -> None:
        """Scripted streams tell of themselves."""

    async def closed_stream(self, *_args: Any) -> None:
        """Scripted streams tell of themselves."""

    async def listen(self, *_args: Any) -> None:
        """`start` answers with the addresses."""

    async def listen_close(self, *_args: Any) -> None:
        """Nothing waits for it."""


async def _keep_running(
    host: Any, listen: list[str], task_status: Any = trio.TASK_STATUS_IGNORED
) -> None:
    async with host.run(listen_addrs=[Multiaddr(address) for address in listen]):
        task_status.started()
        await trio.sleep_forever()


def _describe(conn: Any) -> Fields:
    remote = conn.get_transport_addresses()
    return {
        "peer": conn.muxed_conn.peer_id.to_string(),
        "direction": conn.direction.name.lower(),
        "address": str(remote[0]) if remote else "",
        "encryption": conn.get_negotiated_security_protocol(),
        "muxer": conn.get_negotiated_muxer_protocol(),
    }


def _refuse_what_is_not_here(settings: Fields) -> None:
    lacking = [each for each in _NOT_HERE if settings.pop(each, None) is not None]
    if lacking:
        raise Unsupported(f"this peer's program has no {' and no '.join(lacking)}")


def _script(protocol: str, **more: Any) -> Fields:
    return {**required("peer", "bytes", "seed"), "protocol": protocol, **more}
