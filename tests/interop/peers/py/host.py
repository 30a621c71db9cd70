"""create_host: a py-libp2p host as a `start` request describes it, freed of its known traps."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from libp2p import new_host
from libp2p.crypto import ed25519, rsa, secp256k1
from libp2p.crypto.x25519 import create_new_key_pair as new_noise_key
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE
from libp2p.security.noise.transport import Transport as NoiseTransport
from libp2p.security.tls.transport import PROTOCOL_ID as TLS
from libp2p.security.tls.transport import TLSTransport

from .channel import Unsupported

if TYPE_CHECKING:
    from collections.abc import Callable

    from libp2p.crypto.keys import KeyPair
    from libp2p.host.basic_host import BasicHost

    from .channel import Fields

_KEYS: Final[dict[str, Callable[[], KeyPair]]] = {
    "ed25519": ed25519.create_new_key_pair,
    "secp256k1": secp256k1.create_new_key_pair,
    "rsa": rsa.create_new_key_pair,
}
_SECURITIES: Final[dict[str, Callable[[KeyPair], tuple[Any, Any]]]] = {
    "tls": lambda keys: (TLS, TLSTransport(keys)),
    "noise": lambda keys: (NOISE, NoiseTransport(keys, noise_privkey=new_noise_key().private_key)),
}


def create_host(settings: Fields) -> BasicHost:
    _one_of("transports", settings["transports"], ["tcp"], ["quic"])
    _one_of("muxers", settings["muxers"], ["yamux"])
    keys = _keys_of(settings)
    host: Any = new_host(
        key_pair=keys,
        muxer_preference="YAMUX",
        enable_quic=settings["transports"] == ["quic"],
        sec_opt=dict(_named(_SECURITIES, name)(keys) for name in settings["security"]),
    )
    _tame(host)
    return host


def _keys_of(settings: Fields) -> KeyPair:
    if (secret := settings.get("secret")) is not None:  # the benchmarks' worker gives none
        return ed25519.create_new_key_pair(bytes.fromhex(secret))
    keys: KeyPair = _named(_KEYS, settings["identity"])()
    return keys


def _tame(host: Any) -> None:
    """Leave out what would spoil a scenario although no scenario is about it."""
    swarm = host.get_network()
    swarm.set_resource_manager(None)  # it refuses bursts, and its counters leak

    async def never_connect(*_args: Any) -> None:
        """In place of the automatic dialler, which has no switch."""

    swarm.auto_connector.maybe_connect = never_connect

    async def guarded(stream: Any) -> None:
        """A handler that raises takes the whole process down."""
        try:
            await host._swarm_stream_handler(stream)
        except Exception:
            logging.getLogger("peer").exception("inbound stream")
            await stream.reset()

    swarm.set_stream_handler(guarded)


def _named(table: dict[str, Any], name: str) -> Any:
    if name not in table:
        raise Unsupported(f"py-libp2p has no {name}")
    return table[name]


def _one_of(what: str, wanted: list[str], *offered: list[str]) -> None:
    if wanted not in offered:
        raise Unsupported(f"this peer offers the {what} {' or '.join(map(str, offered))} only")
