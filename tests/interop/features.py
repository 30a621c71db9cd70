"""What a peer can be asked when its features are switched on: README.md, of the same name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .party import Fields


class Features(ABC):
    """The commands beyond those of `Party`; each raises `PeerError` where it is switched off."""

    @abstractmethod
    async def request(self, do: str, **fields: Any) -> Fields:
        """Send a request and wait for its answer."""

    async def listen(self, address: str) -> Sequence[str]:
        """Listen on one more address, such as a relay's; gives those that came of it."""
        return await self._list("listen", "addresses", address=address)

    async def subscribe(self, topic: str) -> None:
        """Take part in a topic; its messages are events from then on."""
        await self.request("subscribe", topic=topic)

    async def unsubscribe(self, topic: str) -> None:
        """Leave a topic."""
        await self.request("unsubscribe", topic=topic)

    async def publish(self, topic: str, nbytes: int, seed: int) -> str | None:
        """Publish ``pattern(seed, nbytes)``; gives the message's id where the library tells."""
        answer = await self.request("publish", topic=topic, bytes=nbytes, seed=seed)
        message: str | None = answer.get("message")
        return message

    async def mesh(self, topic: str) -> Sequence[str]:
        """The peers that it has in its mesh of a topic."""
        return await self._list("mesh", "peers", topic=topic)

    async def subscribers(self, topic: str) -> Sequence[str]:
        """The peers that it knows to take part in a topic."""
        return await self._list("subscribers", "peers", topic=topic)

    async def score(self, peer: str) -> float:
        """How its gossipsub judges a peer."""
        return float((await self.request("score", peer=peer))["score"])

    async def kad_add(self, address: str) -> None:
        """Put a peer, by an address that ends in its id, into the routing table."""
        await self.request("kad-add", address=address)

    async def kad_table(self) -> Sequence[str]:
        """The peers in the routing table."""
        return await self._list("kad-table", "peers")

    async def kad_bootstrap(self) -> None:
        """Fill the routing table by asking those that are in it."""
        await self.request("kad-bootstrap")

    async def kad_closest(self, key: bytes) -> Sequence[str]:
        """The peers closest to a key, closest first."""
        return await self._list("kad-closest", "peers", key=key.hex())

    async def kad_find(self, peer: str) -> Sequence[str]:
        """The addresses of a peer, as others know them."""
        return await self._list("kad-find", "addresses", peer=peer)

    async def kad_put(self, key: bytes, value: bytes) -> None:
        """Store a record under ``/test/<anything>``, where the greatest value wins."""
        await self.request("kad-put", key=key.hex(), value=value.hex())

    async def kad_get(self, key: bytes) -> bytes:
        """The best value that is found under a key."""
        return bytes.fromhex((await self.request("kad-get", key=key.hex()))["value"])

    async def kad_provide(self, multihash: bytes) -> None:
        """Tell those closest to a multihash that it provides it."""
        await self.request("kad-provide", key=multihash.hex())

    async def kad_providers(self, multihash: bytes) -> Sequence[str]:
        """Who provides a multihash."""
        return await self._list("kad-providers", "peers", key=multihash.hex())

    async def rendezvous_register(
        self, point: str, namespace: str, seconds: float | None = None
    ) -> float:
        """Register itself at a rendezvous point; gives the seconds that were granted."""
        answer = await self.request(
            "rendezvous-register", point=point, namespace=namespace, seconds=seconds
        )
        return float(answer["seconds"])

    async def rendezvous_unregister(self, point: str, namespace: str) -> None:
        """Withdraw the registration."""
        await self.request("rendezvous-unregister", point=point, namespace=namespace)

    async def rendezvous_discover(
        self,
        point: str,
        namespace: str | None = None,
        limit: int | None = None,
        cookie: str | None = None,
    ) -> Fields:
        """Who is registered: ``found``, and the ``cookie`` that asks for what comes after."""
        return await self.request(
            "rendezvous-discover", point=point, namespace=namespace, limit=limit, cookie=cookie
        )

    async def _list(self, do: str, what: str, **fields: Any) -> Sequence[str]:
        found: list[str] = (await self.request(do, **fields))[what]
        return found
