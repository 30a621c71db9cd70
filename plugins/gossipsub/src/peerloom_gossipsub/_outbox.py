"""What one input to the router leads to; control messages to one peer go into one RPC."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import Factory, define

from ._actions import Priority, Send
from ._rpc import IHave, Prune, Rpc, Subscription

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from peerloom import PeerId

    from ._actions import Action
    from ._rpc import MessageId, WireMessage


@define
class _Draft:
    subscriptions: list[Subscription] = Factory(list)
    graft: list[str] = Factory(list)
    prune: list[Prune] = Factory(list)
    iwant: list[MessageId] = Factory(list)
    idontwant: list[MessageId] = Factory(list)


class Outbox:
    """Collects actions until they are taken."""

    def __init__(self) -> None:
        self._drafts: dict[PeerId, _Draft] = {}
        self._gossip: dict[PeerId, list[IHave]] = {}
        self._actions: list[Action] = []

    def announce(self, peer: PeerId, topics: Iterable[str], *, subscribed: bool) -> None:
        """Tell a peer that this node is subscribed to topics, or not any more."""
        self._draft(peer).subscriptions += [Subscription(each, subscribed) for each in topics]

    def announce_again(self, peer: PeerId, topics: Sequence[str]) -> None:
        """Tell it in a way that also reaches peers that believe to know it.

        These are two RPCs: rust-libp2p strikes out two opposite words within one.
        """
        for subscribed in (False, True):
            said = [Subscription(topic, subscribed) for topic in topics]
            self.add(Send((peer,), Priority.CONTROL, Rpc(subscriptions=said)))

    def graft(self, peer: PeerId, topic: str) -> None:
        """Tell a peer that it is in this node's mesh."""
        self._draft(peer).graft.append(topic)

    def prune(self, peer: PeerId, prune: Prune) -> None:
        """Tell a peer that it is not, or not any more."""
        self._draft(peer).prune.append(prune)

    def iwant(self, peer: PeerId, ids: Iterable[MessageId]) -> None:
        """Ask a peer for messages."""
        self._draft(peer).iwant += ids

    def idontwant(self, peer: PeerId, message_id: MessageId) -> None:
        """Ask a peer not to send a message."""
        self._draft(peer).idontwant.append(message_id)

    def ihave(self, peer: PeerId, topic: str, ids: Sequence[MessageId]) -> None:
        """Tell a peer of messages."""
        self._gossip.setdefault(peer, []).append(IHave(topic, ids))

    def send(
        self, peers: Iterable[PeerId], messages: Sequence[WireMessage], priority: Priority
    ) -> None:
        """Send messages to peers."""
        to = tuple(peers)
        if to and messages:
            self.add(Send(to, priority, Rpc(messages=messages)))

    def add(self, action: Action) -> None:
        """Anything else."""
        self._actions.append(action)

    def forget(self, peer: PeerId) -> None:
        """The peer has gone: nothing is for it any more."""
        self._drafts.pop(peer, None)
        self._gossip.pop(peer, None)

    def take(self) -> list[Action]:
        """All of it: control first, then what was added in its order, gossip at last."""
        actions, self._actions = self._actions, []
        if not self._drafts and not self._gossip:  # as nearly always
            return actions
        control = [send for peer, draft in self._drafts.items() for send in _sends(peer, draft)]
        gossip = [
            Send((peer,), Priority.GOSSIP, Rpc(ihave=ihave)) for peer, ihave in self._gossip.items()
        ]
        self._drafts, self._gossip = {}, {}
        return [*control, *actions, *gossip]

    def _draft(self, peer: PeerId) -> _Draft:
        return self._drafts.setdefault(peer, _Draft())


def _sends(peer: PeerId, draft: _Draft) -> Iterator[Send]:
    if draft.prune and draft.subscriptions:
        # Before the word that this node has left: rust-libp2p keeps whoever leaves its mesh by that
        # word away for a minute, and whoever has pruned it for the time that it was told.
        yield Send((peer,), Priority.CONTROL, Rpc(prune=draft.prune))
        draft.prune = []
    rpc = Rpc(
        subscriptions=draft.subscriptions,
        iwant=draft.iwant,
        graft=draft.graft,
        prune=draft.prune,
        idontwant=draft.idontwant,
    )
    yield Send((peer,), Priority.CONTROL, rpc)
