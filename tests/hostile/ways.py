"""The ways to reach a node that the tests here run over."""

from __future__ import annotations

from typing import Final

from attrs import frozen


@frozen
class Way:
    """One transport with one security channel.

    Attributes:
        name: as the test's id shows it.
        listen: what a node listens on.
        security: what it offers there; QUIC brings its own.
        engine: what speaks QUIC for the node; its own choice if None.
        raw: whether a byte pipe is secured and muxed by the swarm: what attacks below the
            streams need.
    """

    name: str
    listen: str
    security: tuple[str, ...]
    raw: bool = True
    engine: str | None = None


TCP_TLS: Final = Way("tcp-tls", "/ip4/127.0.0.1/tcp/0", ("tls",))
TCP_NOISE: Final = Way("tcp-noise", "/ip4/127.0.0.1/tcp/0", ("noise",))
QUIC: Final = Way("quic", "/ip4/127.0.0.1/udp/0/quic-v1", ("tls",), raw=False)
QUIC_AIOQUIC: Final = Way("quic-aioquic", QUIC.listen, ("tls",), raw=False, engine="aioquic")

WAYS: Final = (TCP_TLS, TCP_NOISE, QUIC)
QUIC_WAYS: Final = (QUIC, QUIC_AIOQUIC)
RAW_WAYS: Final = tuple(way for way in WAYS if way.raw)
PROTOCOLS: Final = {"tls": "/tls/1.0.0", "noise": "/noise"}
