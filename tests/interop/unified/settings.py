"""Settings: what the suite tells by environment variables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

TRANSPORTS: Final = ("tcp", "quic-v1")
SECURE_CHANNELS: Final = ("tls", "noise")
MUXERS: Final = ("yamux",)
_GIB: Final = 1 << 30


@frozen
class Measured:
    """What the dialer of a perf test is to measure.

    Attributes:
        upload_bytes: how many to send in each iteration of the upload.
        download_bytes: how many to ask for in each iteration of the download.
        upload_iterations: how often to send them.
        download_iterations: how often to ask for them.
        latency_iterations: how often to send one byte and ask for one.
    """

    upload_bytes: int
    download_bytes: int
    upload_iterations: int
    download_iterations: int
    latency_iterations: int

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Measured | None:
        """What the environment says, or None if it is that of a transport test."""
        if "UPLOAD_BYTES" not in environment:
            return None
        return cls(
            upload_bytes=_number(environment, "UPLOAD_BYTES", _GIB),
            download_bytes=_number(environment, "DOWNLOAD_BYTES", _GIB),
            upload_iterations=_number(environment, "UPLOAD_ITERATIONS", 10),
            download_iterations=_number(environment, "DOWNLOAD_ITERATIONS", 10),
            latency_iterations=_number(environment, "LATENCY_ITERATIONS", 100),
        )


@frozen
class Settings:
    """One side of one test.

    Attributes:
        redis: host and port of the meeting point.
        key: under which the listener tells its address there.
        measured: what to measure, or None to dial and ping.
    """

    debug: bool
    is_dialer: bool
    redis: tuple[str, int]
    key: str
    transport: str
    secure_channel: str
    listener_ip: str
    measured: Measured | None

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Settings:
        """What the environment says; ends the process if that is nothing that we have."""
        host, _, port = environment["REDIS_ADDR"].rpartition(":")
        transport = _one_of(TRANSPORTS, environment["TRANSPORT"])
        if transport == "tcp":
            _one_of(MUXERS, environment["MUXER"])
        return cls(
            debug=environment.get("DEBUG") == "true",
            is_dialer=environment["IS_DIALER"] == "true",
            redis=(host, int(port)),
            key=f"{environment['TEST_KEY']}_listener_multiaddr",
            transport=transport,
            secure_channel=_one_of(SECURE_CHANNELS, environment.get("SECURE_CHANNEL", "tls")),
            listener_ip=environment.get("LISTENER_IP", "0.0.0.0"),
            measured=Measured.of(environment),
        )


def _one_of(offered: tuple[str, ...], wanted: str) -> str:
    if wanted not in offered:
        raise SystemExit(f"peerloom has no {wanted}, only {', '.join(offered)}")
    return wanted


def _number(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name, "null")
    return default if text == "null" else int(text)
