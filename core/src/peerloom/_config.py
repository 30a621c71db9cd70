"""What a node is told: `NetworkConfig`, and `ConfigSection` for what its plugins are told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import platformdirs
from attrs import Attribute, field, frozen
from attrs.validators import optional
from multiaddr import Multiaddr

from ._addresses import read_address, split_peer
from ._config_values import check_config_class
from ._errors import ConfigError
from ._libp2p import KeyPair

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._peer_id import PeerId

SECURITY: Final = ("tls", "noise")  # as calimero-network: TLS first, Noise as fallback
MIB: Final = 1024 * 1024
PROTOCOL_VERSION: Final = "/peerloom/0.1.0"  # what identify tells; told apart by nobody


def at_least(least: float) -> Callable[[Any, Attribute[Any], Any], None]:
    """An attrs validator for a number with a lower bound; raises `ConfigError`."""

    def check(_: object, attribute: Attribute[Any], value: float) -> None:
        if not isinstance(value, (int, float)) or not value >= least:
            raise ConfigError(f"{attribute.name} must be at least {least}, not {value}")

    return check


def whole_at_least(least: int) -> Callable[[Any, Attribute[Any], Any], None]:
    """An attrs validator for a whole number with a lower bound; raises `ConfigError`.

    True and False are no numbers to it.
    """

    def check(_: object, attribute: Attribute[Any], value: int) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            raise ConfigError(f"{attribute.name} must be a whole number, not {value!r}")
        if value < least:
            raise ConfigError(f"{attribute.name} must be at least {least}, not {value}")

    return check


def _of_type(*kinds: type[Any]) -> Callable[[Any, Attribute[Any], Any], None]:
    def check(_: object, attribute: Attribute[Any], value: object) -> None:
        if not isinstance(value, kinds):
            wanted = " or a ".join(kind.__name__ for kind in kinds)
            raise ConfigError(f"{attribute.name} must be a {wanted}, not {value!r}")

    return check


def _addresses(values: Iterable[str | Multiaddr]) -> tuple[Multiaddr, ...]:
    if isinstance(values, (str, Multiaddr)):
        raise ConfigError(f"expected a list of addresses, found one address: write [{values!r}]")
    if not isinstance(values, Iterable):
        raise ConfigError(f"expected a list of addresses, found {values!r}")
    return tuple(_address(value) for value in values)


def _names(values: Iterable[str]) -> tuple[str, ...]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ConfigError(f"expected a list of names, found {values!r}: write [...]")
    names = tuple(values)
    for name in names:
        if not isinstance(name, str):
            raise ConfigError(f"expected a list of names, found {name!r} in it")
    return names


def _address(value: str | Multiaddr) -> Multiaddr:
    try:
        address = read_address(value)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    if not address.to_bytes():
        raise ConfigError("an address is empty; write one such as /ip4/127.0.0.1/tcp/2428")
    return address


def _path(value: Path | str | None) -> Path | None:
    return Path(value).expanduser() if isinstance(value, (str, Path)) else value


def _identity(value: KeyPair | Path | str | None) -> KeyPair | Path | None:
    return Path(value).expanduser() if isinstance(value, (str, Path)) else value


def _each_with_peer(_: object, attribute: Attribute[Any], value: tuple[Multiaddr, ...]) -> None:
    for address in value:
        if split_peer(address)[1] is None:
            raise ConfigError(
                f"{attribute.name}: {address} does not say whom to expect there; "
                "it must end in /p2p/<peer id>"
            )


def _each_without_peer(_: object, attribute: Attribute[Any], value: tuple[Multiaddr, ...]) -> None:
    for address in value:
        if split_peer(address)[1] is not None:
            raise ConfigError(
                f"{attribute.name}: {address} must not end in /p2p/<peer id>; leave that away"
            )


def _known_security(_: object, attribute: Attribute[Any], value: tuple[str, ...]) -> None:
    unknown = [name for name in value if name not in SECURITY]
    if unknown or not value:
        raise ConfigError(
            f"{attribute.name}: {', '.join(unknown) or 'nothing'} is not a security channel; "
            f"choose from {', '.join(SECURITY)}"
        )


@cache
def _own_agent() -> str:
    try:
        return f"peerloom/{version('peerloom')}"
    except PackageNotFoundError:  # imported from a source tree
        return "peerloom"


@frozen
class Limits:
    """What a node carries, in connections, streams and data; more is refused and counted.

    Attributes:
        pending_in: connections that others have begun and that are not yet secured.
        pending_out: dials under way.
        per_peer: connections to one peer.
        total: connections in all.
        streams_per_connection: streams that the other side may have open on one connection.
        unread_bytes: what may have arrived on all connections without having been read; past it,
            streams of the peer that holds most are reset. From half of it on no window grows.
    """

    pending_in: int = field(default=128, validator=whole_at_least(1))
    pending_out: int = field(default=128, validator=whole_at_least(1))
    per_peer: int = field(default=8, validator=whole_at_least(1))
    total: int = field(default=1024, validator=whole_at_least(1))
    streams_per_connection: int = field(default=256, validator=whole_at_least(1))
    unread_bytes: int = field(default=256 * MIB, validator=whole_at_least(MIB))


@frozen
class Bootstrap:
    """The nodes through which this one finds others.

    Attributes:
        nodes: their addresses, each ending in /p2p/<peer id>; dialled at start and whenever none
            of these nodes is connected.
    """

    nodes: tuple[Multiaddr, ...] = field(
        default=(), converter=_addresses, validator=_each_with_peer
    )


@frozen
class PluginSelection:
    """Which plugins a node uses.

    Attributes:
        enabled: names of the installed plugins to use; empty stands for all of them.
        disabled: names of plugins to leave out, core's own included; wins over `enabled`.
    """

    enabled: tuple[str, ...] = field(default=(), converter=_names)
    disabled: tuple[str, ...] = field(default=(), converter=_names)


@frozen
class NetworkConfig:
    """How a node runs; every part has a default that suits a library.

    Addresses are taken as `Multiaddr` or as text. Wrong values raise `ConfigError`.

    Attributes:
        identity: the node's key, or the file of its key (created on first use); without one a
            fresh key is made that lives as long as the node.
        listen: addresses to listen on; a port of 0 takes a free one.
        free_port_if_taken: listen on a free port in place of one that is taken.
        external_addresses: addresses at which others certainly reach this node.
        bootstrap: boot nodes, each address ending in /p2p/<peer id>; dialled at start and
            whenever none of them is connected. In a file: `nodes` of the section `bootstrap`.
        security: the security channels offered on TCP, most wanted first: tls, noise.
        limits: how many connections and streams, and how much unread data, it carries.
        keep_alive_seconds: a connection that nothing holds any more is closed after this time.
        agent: the software that identify tells.
        protocol_version: the protocol family that identify tells.
        data_folder: where identity, peer cache and plugin data survive a restart; without one
            nothing is written.
        strict: raise what a plugin raises instead of isolating it; for tests.
        plugins: which plugins are used.
        settings: a plugin's settings by section name: an instance of its config class, or a
            mapping from setting to value.
    """

    identity: KeyPair | Path | None = field(
        default=None, converter=_identity, validator=optional(_of_type(KeyPair, Path))
    )
    listen: tuple[Multiaddr, ...] = field(
        default=(), converter=_addresses, validator=_each_without_peer
    )
    free_port_if_taken: bool = field(default=False, validator=_of_type(bool))
    external_addresses: tuple[Multiaddr, ...] = field(
        default=(), converter=_addresses, validator=_each_without_peer
    )
    bootstrap: tuple[Multiaddr, ...] = field(
        default=(), converter=_addresses, validator=_each_with_peer
    )
    security: tuple[str, ...] = field(default=SECURITY, converter=_names, validator=_known_security)
    limits: Limits = field(factory=Limits, validator=_of_type(Limits))
    keep_alive_seconds: float = field(default=30.0, validator=at_least(0))
    agent: str = field(factory=_own_agent, validator=_of_type(str))
    protocol_version: str = field(default=PROTOCOL_VERSION, validator=_of_type(str))
    data_folder: Path | None = field(
        default=None, converter=_path, validator=optional(_of_type(Path))
    )
    strict: bool = field(default=False, validator=_of_type(bool))
    plugins: PluginSelection = field(factory=PluginSelection, validator=_of_type(PluginSelection))
    settings: Mapping[str, object] = field(factory=dict, validator=_of_type(Mapping))

    def boot_nodes(self) -> tuple[tuple[PeerId, Multiaddr], ...]:
        """Each boot node's id and its address without the id."""
        pairs = (split_peer(address) for address in self.bootstrap)
        return tuple((peer, address) for address, peer in pairs if peer is not None)


@frozen
class ConfigSection:
    """A section of the configuration that a plugin reads.

    The config class is a frozen attrs class whose fields all have defaults, of types that a file
    can hold: numbers, text, bool, Path, Multiaddr, PeerId, tuples and mappings of these, nested
    such classes, and ``T | None`` (an empty text stands for None). Validators and converters may
    raise ValueError, TypeError or `ConfigError`. The "Attributes:" of its docstring become the
    comments that ``peerloom init`` writes.

    Raises `PluginError` when the class is not like that.

    Attributes:
        name: the section's name, as in ``[name]``; by custom the plugin's name.
        config_class: holds the settings; an instance becomes ``ctx.config``.
        summary: one line for the configuration file.
    """

    name: str
    config_class: type[Any]
    summary: str = ""

    def __attrs_post_init__(self) -> None:
        check_config_class(self.name, self.config_class)


def default_data_folder() -> Path:
    """Where programs of this user keep data on this platform."""
    return platformdirs.user_data_path("peerloom", appauthor=False)
