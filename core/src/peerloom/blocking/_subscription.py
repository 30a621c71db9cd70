"""Subscription without `async`."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from peerloom._errors import NodeClosed
from peerloom._events import Event

if TYPE_CHECKING:
    from peerloom._events import Lagged
    from peerloom._subscriptions import Subscription as AsyncSubscription

    from ._portal import Portal

E_co = TypeVar("E_co", bound=Event, covariant=True)


class Subscription(Generic[E_co]):
    """Events of some types, in order: ``with client.events(...) as events: for event in events``.

    As `peerloom.Subscription`: it ends with the block or with the node. A loop ends then as well.
    """

    def __init__(self, portal: Portal, subscription: AsyncSubscription[E_co]) -> None:
        self._portal = portal
        self._subscription = subscription

    def __enter__(self) -> Self:
        self._portal.run(self._subscription.__aenter__)
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        with suppress(NodeClosed):  # which has ended it
            self._portal.run(self._subscription.__aexit__, None, None, None)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> E_co | Lagged:
        try:
            return self.next()
        except NodeClosed:
            raise StopIteration from None

    def next(self, *, timeout: float | None = None) -> E_co | Lagged:
        """The next event; raises TimeoutError after `timeout` seconds, `NodeClosed` at the end."""
        try:
            return self._portal.run(self._subscription.__anext__, timeout=timeout)
        except StopAsyncIteration:
            raise NodeClosed("no event comes any more: the subscription has ended") from None
