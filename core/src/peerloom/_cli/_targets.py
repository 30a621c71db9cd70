"""Checking the addresses that somebody typed, and staying connected to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from multiaddr import Multiaddr

from peerloom._addresses import split_peer
from peerloom._errors import DialFailed, NoHandler, PeerloomError
from peerloom._peer_id import PeerId

from ._output import one_line, tell

if TYPE_CHECKING:
    from collections.abc import Iterable

    from peerloom._client import NetworkClient
    from peerloom._node import Node


def check_target(text: str) -> None:
    """Raise `typer.BadParameter` unless it is an address, or a peer id."""
    try:
        _peer_of(text)
    except ValueError as error:
        raise _no_address("/ip4/192.0.2.1/tcp/2428/p2p/…", text, error) from error


def check_address(text: str) -> str:
    """An address as it is always written; raises `typer.BadParameter` unless it is one."""
    try:
        address = Multiaddr(text)
        if not address.to_bytes():
            raise ValueError("it is empty")
    except ValueError as error:
        raise _no_address("/ip4/127.0.0.1/tcp/2428", text, error) from error
    return str(address)


def _no_address(example: str, text: str, error: ValueError) -> typer.BadParameter:
    why = f" ({one_line(error)})" if text.startswith("/") else ""
    return typer.BadParameter(f"expected an address such as {example}, found {text!r}{why}")


def refuse_own(node: Node, targets: Iterable[str]) -> None:
    """Raise `typer.BadParameter` if one of them is the node itself."""
    for target in targets:
        if _peer_of(target) == node.peer_id:
            raise typer.BadParameter(
                f"{target} is this node itself: expected an address of another; two nodes on one "
                "machine need a data folder each (--data)",
                param_hint="'--dial'",
            )


def _peer_of(target: str) -> PeerId | None:
    if not target.startswith("/"):
        return PeerId.from_string(target)
    return split_peer(Multiaddr(target))[1]


async def stay_connected(client: NetworkClient, target: str) -> None:
    """Dial what was given as ``--dial``, and hold it; what goes wrong is told and tried again."""
    try:
        connection = await client.dial(target)
        await client.protect(connection.peer)
    except PeerloomError as error:
        tell(f"peerloom: --dial {target}: {one_line(error)}")
        if isinstance(error, DialFailed):
            await _dial_later(client, error.peer, target)


async def _dial_later(client: NetworkClient, peer: PeerId | None, target: str) -> None:
    if peer is None:
        tell(f"peerloom: --dial {target}: not tried again: it does not end in /p2p/<peer id>")
    else:
        await _keep_trying(client, peer, target)


async def _keep_trying(client: NetworkClient, peer: PeerId, target: str) -> None:
    try:
        await client.add_peer_addresses(peer, [target] if target.startswith("/") else [])
        await client.protect(peer)
    except NoHandler as error:
        tell(f"peerloom: --dial {target}: {one_line(error)}")
    else:
        tell(f"peerloom: --dial {target}: trying again until it is there")
