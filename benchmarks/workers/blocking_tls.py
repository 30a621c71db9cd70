"""Plain blocking TLS 1.3 sockets: what Python does at best with nothing in between."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.to_thread
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from .channel import Channel
from .payload import Tag, blocks, blocks_of
from .scripts import HEADER_BYTES, REPORT_BYTES, read_report, report_of

if TYPE_CHECKING:
    from .channel import Commands

Fields = dict[str, Any]

_READ_BYTES: Final = 256 * 1024


class BlockingTls:
    """The worker's commands; the peers' ids are the numbers of their ports."""

    def __init__(self) -> None:
        self._connection: ssl.SSLSocket
        self.commands: Commands = {
            "start": self._start,
            "dial": self._dial,
            "disconnect": self._disconnect,
            "send": self._send,
        }

    async def _start(self, transport: str, security: str) -> Fields:
        if (transport, security) != ("tcp", "tls"):
            raise ValueError(f"this is TLS over TCP, not {security} over {transport}")
        listener = socket.create_server(("127.0.0.1", 0))
        Thread(target=_accept, args=(listener, _server_context()), daemon=True).start()
        port = listener.getsockname()[1]
        return {
            "peer": str(port),
            "addresses": [str(port)],
            "implementation": "blocking-tls",
            "version": ssl.OPENSSL_VERSION,
        }

    async def _dial(self, address: str) -> None:
        self._connection = await anyio.to_thread.run_sync(_connect, int(address))

    async def _disconnect(self, peer: str) -> None:  # noqa: ARG002
        self._connection.close()

    async def _send(self, peer: str, bytes: int, seed: int) -> Fields:  # noqa: A002, ARG002
        return await anyio.to_thread.run_sync(_send, self._connection, bytes, seed)


def _connect(port: int) -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    plain = socket.create_connection(("127.0.0.1", port))
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(plain)


def _send(connection: ssl.SSLSocket, nbytes: int, seed: int) -> Fields:
    ring = blocks_of(seed)
    begun = perf_counter()
    connection.sendall(nbytes.to_bytes(HEADER_BYTES, "big"))
    for block in blocks(ring, nbytes):
        connection.sendall(block)
    report = _exactly(connection, REPORT_BYTES)
    return {"seconds": perf_counter() - begun, **read_report(report)}


def _accept(listener: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        plain, _ = listener.accept()
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with context.wrap_socket(plain, server_side=True) as connection:
            _receive(connection)


def _receive(connection: ssl.SSLSocket) -> None:
    wanted, count, tag = int.from_bytes(_exactly(connection, HEADER_BYTES), "big"), 0, Tag()
    buffer = memoryview(bytearray(_READ_BYTES))
    while count < wanted:
        got = connection.recv_into(buffer)
        if not got:
            raise ConnectionError(f"ended {wanted - count} bytes early")
        tag.update(buffer[:got])
        count += got
    connection.sendall(report_of(count, tag))


def _exactly(connection: ssl.SSLSocket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise ConnectionError(f"ended {count - len(data)} bytes early")
        data += more
    return data


def _server_context() -> ssl.SSLContext:
    """TLS 1.3 with a self-signed P-256 certificate that nobody keeps."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    with TemporaryDirectory() as folder:
        file = Path(folder) / "certificate.pem"
        file.write_bytes(_throw_away_certificate())
        context.load_cert_chain(file)
    return context


def _throw_away_certificate() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "benchmark")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    form, no_password = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(pem, form, no_password) + certificate.public_bytes(pem)


async def _main() -> None:
    await Channel().serve(BlockingTls().commands)


anyio.run(_main)
