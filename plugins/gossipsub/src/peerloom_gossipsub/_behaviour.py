"""GossipsubBehaviour: feeds the router with what happens, and does what it asks for."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Any

import anyio

from peerloom import DialFailed, MalformedMessage, PeerConnected, PeerDisconnected
from peerloom.plugin import (
    Behaviour,
    IdentifyReceived,
    InboundProtocol,
    Role,
    TopicJoined,
    TopicLeft,
)

from ._actions import (
    Connect,
    Deliver,
    Judge,
    PeerJoined,
    PeerLeft,
    Priority,
    Send,
    Verdict,
    Verify,
    Version,
)
from ._commands import Published
from ._decode import decode_rpc
from ._encode import encode_rpc
from ._events import (
    Message,
    PeerSubscribed,
    PeerUnsubscribed,
    SlowPeer,
    Subscribed,
    Unsubscribed,
)
from ._frames import FrameDecoder
from ._intake import Turn, Unfinished, Verifications
from ._link import STREAM_FAILURES, PeerLink
from ._protocols import PROTOCOLS, VERSIONS
from ._router import Router
from ._rpc import RpcLimits
from ._signing import InvalidMessage, Publisher, Verifier

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from peerloom import PeerId, Stream
    from peerloom.plugin import ConnectionInfo, EventHandler, PluginContext

    from ._actions import Action, Arrival
    from ._commands import (
        MeshPeers,
        MeshStats,
        Publish,
        SetPeerScore,
        SetValidator,
        Subscribe,
        SubscribedPeers,
        Unsubscribe,
        Validator,
    )
    from ._config import GossipsubConfig

_LOG = logging.getLogger("peerloom.gossipsub")
_READ_BYTES = 262_144
_MALFORMED_OFFENCES = 10  # bytes that are no RPC: twice, and the peer is graylisted


class GossipsubBehaviour(Behaviour):
    """One node's gossipsub."""

    def __init__(self, ctx: PluginContext) -> None:
        self._ctx = ctx
        self._config: GossipsubConfig = ctx.config
        self._router = Router(self._config, ctx.local_peer, ctx.runtime.random)
        first = int(ctx.runtime.wall_time() * 1e9)
        self._publisher = Publisher(ctx.identity, self._config.signing, first)
        self._verifier = Verifier(self._config.signing)
        self._limits = RpcLimits(max_message_bytes=self._config.max_message_bytes)
        self._links: dict[PeerId, PeerLink] = {}
        self._versions: dict[PeerId, Version] = {}
        self._validators: dict[str, Validator] = {}
        self._verifications = Verifications()
        self._unfinished = Unfinished(self._config.max_rpc_bytes + _READ_BYTES)
        self._lost: Counter[str] = Counter()
        self._room = anyio.Event()
        inbound = InboundProtocol(
            self._serve, max_streams_per_peer=4, runs_on_limited=True, holds_connection=False
        )
        self.protocols = dict.fromkeys(PROTOCOLS, inbound)

    def start(self) -> None:
        """Begin the heartbeat, and to verify."""
        self._ctx.spawn(self._verify_all)
        self._arm()

    def stop(self) -> None:
        """End every stream."""
        for link in self._links.values():
            link.close()

    def event_handlers(self) -> list[EventHandler]:
        """What it hears."""
        return [
            IdentifyReceived.heard_by(self._on_identified),
            PeerConnected.heard_by(self._on_connected),
            PeerDisconnected.heard_by(self._on_disconnected),
        ]

    def keep_alive(self, connection: ConnectionInfo) -> bool:
        """Whether the peer shares a topic with this node."""
        return any(
            connection.peer in self._router.subscribed_peers(topic)
            for topic in self._router.mesh_sizes()
        )

    async def subscribe(self, command: Subscribe) -> bool:
        """Answer `Subscribe`."""
        if not self._router.subscribe(command.topic, self._now()):
            return False
        self._act()
        self._ctx.emit(TopicJoined(command.topic))
        self._ctx.emit(Subscribed(command.topic))
        return True

    async def unsubscribe(self, command: Unsubscribe) -> bool:
        """Answer `Unsubscribe`."""
        if not self._router.unsubscribe(command.topic, self._now()):
            return False
        self._act()
        self._ctx.emit(TopicLeft(command.topic))
        self._ctx.emit(Unsubscribed(command.topic))
        return True

    async def publish(self, command: Publish) -> Published:
        """Answer `Publish`."""
        message = self._publisher.make(command.topic, command.data)
        publication = self._router.publish(message, self._now())
        slow: list[PeerLink] = []
        frames: list[bytes] = []
        for action in self._router.take():
            if isinstance(action, Send) and action.priority is Priority.DATA:
                frames = encode_rpc(action.rpc)
                links = [self._links[peer] for peer in action.peers if peer in self._links]
                slow += [link for link in links if not link.offer(Priority.DATA, frames)]
            else:
                self._do(action)
        skipped = await self._wait_for(slow, frames) if slow else 0
        return Published(publication.message_id, len(publication.peers) - skipped, skipped)

    async def mesh_peers(self, command: MeshPeers) -> tuple[PeerId, ...]:
        """Answer `MeshPeers`."""
        return tuple(self._router.mesh_peers(command.topic))

    async def subscribed_peers(self, command: SubscribedPeers) -> tuple[PeerId, ...]:
        """Answer `SubscribedPeers`."""
        return tuple(self._router.subscribed_peers(command.topic))

    async def mesh_stats(self, _: MeshStats) -> Mapping[str, int]:
        """Answer `MeshStats`."""
        return self._router.mesh_sizes()

    async def set_peer_score(self, command: SetPeerScore) -> None:
        """Answer `SetPeerScore`."""
        self._router.set_peer_score(command.peer, command.score)

    async def set_validator(self, command: SetValidator) -> None:
        """Answer `SetValidator`."""
        self._validators.pop(command.topic, None)
        if command.validator is not None:
            self._validators[command.topic] = command.validator

    def status(self) -> Mapping[str, Any]:
        """What it does, for the node's status."""
        return {
            "meshes": self._router.mesh_sizes(),
            "peers": len(self._links),
            "unfinished_bytes": self._unfinished.bytes,
            "pending_bytes": self._router.pending_bytes,
            "waiting_bytes": sum(link.waiting_bytes for link in self._links.values()),
            "counts": dict(self._lost + Counter(self._router.counts())),
        }

    async def _wait_for(self, slow: Sequence[PeerLink], frames: Sequence[bytes]) -> int:
        skipped = 0

        async def wait(link: PeerLink) -> None:
            nonlocal skipped
            seconds = self._config.slow_peer_seconds
            if not await link.offer_within(Priority.DATA, frames, seconds):
                skipped += 1
                self._lost["message skipped for a slow peer"] += 1
                self._ctx.emit(SlowPeer(link.peer, link.waiting_bytes))

        async with anyio.create_task_group() as tasks:
            for link in slow:
                tasks.start_soon(wait, link)
        return skipped

    def _on_identified(self, event: IdentifyReceived) -> None:
        spoken = [VERSIONS[name] for name in PROTOCOLS if name in event.protocols]
        if spoken:
            self._meet(event.peer, spoken[0])

    def _on_connected(self, event: PeerConnected) -> None:
        # Perhaps a peer that has restarted, while its old connection still stands here.
        if event.peer in self._links:
            self._greet(event.peer, self._versions[event.peer])

    def _on_disconnected(self, event: PeerDisconnected) -> None:
        if event.remaining or event.peer not in self._links:
            return
        link = self._links.pop(event.peer)
        link.close()
        if link.waiting_frames:
            self._lost["frame for a peer that has gone"] += link.waiting_frames
        del self._versions[event.peer]
        self._router.disconnect(event.peer, self._now())
        self._act()

    def _meet(self, peer: PeerId, version: Version) -> None:
        if peer in self._links or not self._ctx.connections(peer):
            return
        link = self._links[peer] = PeerLink(self._ctx, peer, self._config.max_queue_bytes)
        self._versions[peer] = version
        self._greet(peer, version)
        self._ctx.spawn(link.run, self._config.heartbeat_seconds, lambda: self._greet_again(peer))

    def _greet(self, peer: PeerId, version: Version) -> None:
        dialled = any(each.role is Role.DIALER for each in self._ctx.connections(peer))
        self._router.connect(peer, version, is_outbound=dialled)
        self._act()

    def _greet_again(self, peer: PeerId) -> None:
        if (version := self._versions.get(peer)) is not None:  # it may have gone in this moment
            self._router.remind(peer)
            self._greet(peer, version)

    async def _serve(self, stream: Stream) -> None:
        self._meet(stream.peer, VERSIONS[stream.protocol])
        decoder = FrameDecoder(self._config.max_rpc_bytes)
        try:
            await self._take_frames(stream, decoder)
        except MalformedMessage:
            self._router.offend(stream.peer, "rpc malformed", _MALFORMED_OFFENCES)
            stream.reset()
        except anyio.EndOfStream:
            await stream.aclose()
        except STREAM_FAILURES:
            stream.reset()
        finally:
            self._unfinished.keep(stream, 0)

    async def _take_frames(self, stream: Stream, decoder: FrameDecoder) -> None:
        turn = Turn(self._now)
        while True:
            for frame in decoder.feed(await stream.receive(_READ_BYTES)):
                await self._wait_for_room()
                self._receive(stream.peer, frame)
                await turn.rest()
            for given_up in self._unfinished.keep(stream, decoder.kept_bytes):
                self._lost["unfinished frame given up"] += 1
                given_up.reset()

    def _receive(self, peer: PeerId, frame: bytes) -> None:
        if self._router.hears(peer):
            self._router.receive(peer, decode_rpc(frame, self._limits), self._now())
            self._act()

    async def _wait_for_room(self) -> None:
        while self._is_full():
            if self._room.is_set():  # others may wait for it already
                self._room = anyio.Event()
            await self._room.wait()

    def _is_full(self) -> bool:
        return (
            self._router.pending_bytes > self._config.max_pending_bytes
            or self._router.pending_messages > self._config.max_pending_messages
        )

    def _act(self) -> None:
        for action in self._router.take():
            self._do(action)

    def _do(self, action: Action) -> None:
        match action:
            case Send():
                self._send(action)
            case Verify():
                self._verifications.add(action.arrival)
            case Judge():
                self._judge(action.arrival)
            case Deliver():
                self._ctx.emit(_message(action.arrival))
            case PeerJoined():
                self._ctx.emit(PeerSubscribed(action.peer, action.topic))
            case PeerLeft():
                self._ctx.emit(PeerUnsubscribed(action.peer, action.topic))
            case Connect():
                self._ctx.spawn(self._dial, action.peer)

    def _send(self, send: Send) -> None:
        frames = encode_rpc(send.rpc)
        for peer in send.peers:
            if (link := self._links.get(peer)) is None:
                continue
            together = send.priority is not Priority.GOSSIP
            for portion in [frames] if together else [[frame] for frame in frames]:
                if not link.offer(send.priority, portion):
                    self._lost[f"{send.priority.name.lower()} for a slow peer"] += len(portion)

    async def _verify_all(self) -> None:
        turn = Turn(self._now)
        while True:
            await self._verifications.wait()
            turn.begin()
            while self._verifications:
                self._verify(self._verifications.pop())
                self._room.set()
                await turn.rest()

    def _verify(self, arrival: Arrival) -> None:
        if self._router.is_unwanted(arrival):
            self._router.dropped(arrival)
            return
        try:
            author = self._verifier.verify(arrival.message)
        except InvalidMessage as error:
            self._router.invalid(arrival, error.cause)
        else:
            self._router.verified(arrival, author, self._now())
        self._act()

    def _judge(self, arrival: Arrival) -> None:
        validator = self._validators.get(arrival.message.topic)
        if validator is None:
            self._judged(arrival, Verdict.ACCEPT)
        else:
            self._ctx.spawn(self._validate, validator, arrival)

    async def _validate(self, validator: Validator, arrival: Arrival) -> None:
        verdict = Verdict.IGNORE
        try:
            with anyio.move_on_after(self._config.validation_seconds):
                verdict = await validator(_message(arrival))
        except Exception:  # noqa: BLE001 - the application's code: it must not end the plugin
            _LOG.exception("the validator of %r failed", arrival.message.topic)
        self._judged(arrival, verdict)

    def _judged(self, arrival: Arrival, verdict: Verdict) -> None:
        self._router.judged(arrival, verdict, self._now())
        self._room.set()
        self._act()

    async def _dial(self, peer: PeerId) -> None:
        try:
            await self._ctx.dial(peer)
        except DialFailed:
            return

    def _beat(self) -> None:
        self._router.heartbeat(self._now())
        self._act()
        self._arm()

    def _arm(self) -> None:
        self._ctx.wake_at(self._now() + self._config.heartbeat_seconds, self._beat)

    def _now(self) -> float:
        return self._ctx.runtime.now()


def _message(arrival: Arrival) -> Message:
    author = arrival.author
    return Message(
        topic=arrival.message.topic,
        source=author.source if author else None,
        data=arrival.message.data,
        message_id=arrival.message_id,
        sequence=author.sequence if author else None,
        received_from=arrival.bringers[0],
    )
