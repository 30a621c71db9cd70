"""Which of a node's addresses to hand on to others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerloom._addresses import components, is_loopback, split_peer, with_peer
from peerloom._ticket import MAX_ADDRESSES

if TYPE_CHECKING:
    from multiaddr import Multiaddr

    from peerloom._node import Node


def addresses_to_tell(node: Node) -> tuple[Multiaddr, ...]:
    """Where people reach a node, in as few addresses as will do: one for each host.

    Each ends with the peer id. External ones come first; those of loopback only where there are
    no others.
    """
    of_hosts: dict[tuple[str, str], Multiaddr] = {}
    for address in worth_sharing(node):
        of_hosts.setdefault(components(address)[0], address)
    return tuple(with_peer(address, node.peer_id) for address in of_hosts.values())


def worth_sharing(node: Node) -> tuple[Multiaddr, ...]:
    """The addresses that help another machine, without the peer id, each once; few enough.

    Loopback addresses are among them only where there are no others.
    """
    bare = [
        stripped if named == node.peer_id else address
        for address in (*node.config.external_addresses, *node.addresses)
        for stripped, named in [split_peer(address)]
    ]
    distinct = list(dict.fromkeys(bare))
    public = [address for address in distinct if not is_loopback(address)]
    return tuple((public or distinct)[:MAX_ADDRESSES])
