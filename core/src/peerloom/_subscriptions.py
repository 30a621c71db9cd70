"""Subscriptions: how applications hear events without ever holding the loop."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, Generic, Protocol, Self, TypeVar

import anyio

from ._events import (
    Event,
    Lagged,
    ListenAddressExpired,
    ListenerClosed,
    ListeningOn,
)

if TYPE_CHECKING:
    from types import TracebackType

E_co = TypeVar("E_co", bound=Event, covariant=True)

QUEUE_BOUND: Final = 1024  # some seconds of a busy node; more means that nobody reads
_ENTER_IT: Final = "use `async with client.events(...) as events`, or `with` in peerloom.blocking"
PATIENT_BOUND: Final = QUEUE_BOUND // 2  # for events whose producers can wait; others cannot


class Subscriber(Protocol):
    """Whoever hears events; plain functions that return at once."""

    event_classes: tuple[type[Event], ...]

    @property
    def room(self) -> int:
        """How many more events a producer that can wait may offer."""
        ...

    def offer(self, event: Event) -> None:
        """Hear an event."""
        ...

    def end(self) -> None:
        """Nothing more comes."""
        ...


class Subscription(Generic[E_co]):
    """Events of some types, in order: ``async with client.events(...) as events: async for …``.

    Subscribes on entering and ends with the block, or when the node stops. While `QUEUE_BOUND`
    events wait unread, further ones are only counted, and the next item is `Lagged`.
    """

    def __init__(self, board: SubscriptionBoard, event_classes: tuple[type[Event], ...]) -> None:
        self.event_classes = event_classes
        self._board = board
        self._queue: deque[Event] = deque()
        self._missed = 0
        self._news: anyio.Event
        self._entered = False
        self._ended = False

    def __repr__(self) -> str:
        return f"<Subscription to {', '.join(one.__name__ for one in self.event_classes)}>"

    async def __aenter__(self) -> Self:
        self._news = anyio.Event()  # of the node's event loop: another may have made this object
        self._entered = True
        self._board.add(self)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._board.remove(self)
        self.end()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> E_co | Lagged:
        while not self._queue and not self._missed:
            if self._ended:
                raise StopAsyncIteration
            if not self._entered:
                raise RuntimeError(f"{self!r} is not entered yet: {_ENTER_IT}")
            if self._news.is_set():
                self._news = anyio.Event()
            await self._news.wait()
        if self._missed:
            missed, self._missed = self._missed, 0
            return Lagged(missed)
        event = self._queue.popleft()
        if len(self._queue) <= PATIENT_BOUND // 2:
            self._board.tell_of_room()
        return event  # type: ignore[return-value]  # chosen by `event_classes`

    @property
    def room(self) -> int:
        """How many more a producer that can wait may offer; who lags has lost some anyway."""
        return QUEUE_BOUND if self._missed else max(PATIENT_BOUND - len(self._queue), 0)

    def offer(self, event: Event) -> None:
        """Queue an event, or count it."""
        if len(self._queue) >= QUEUE_BOUND:
            self._missed += 1
            self._board.tell_of_room()
            return
        self._queue.append(event)
        self._news.set()

    def end(self) -> None:
        """Nothing more comes: iteration ends after what is queued."""
        self._ended = True
        self._news.set()


class SubscriptionBoard:
    """Who has subscribed to what; and which addresses listen, for those who come later."""

    def __init__(self) -> None:
        self._subscriptions: list[Subscriber] = []
        self._found: dict[type[Event], tuple[Subscriber, ...]] = {}
        self._listening: dict[ListeningOn, None] = {}
        self._closed = False
        self._awaited: anyio.Event | None = None

    def __len__(self) -> int:
        return len(self._subscriptions)

    def add(self, subscription: Subscriber) -> None:
        """Deliver from now on; the addresses that listen already come first."""
        if self._closed:
            subscription.end()
            return
        self._subscriptions.append(subscription)
        self._found.clear()
        if issubclass(ListeningOn, subscription.event_classes):
            for event in self._listening:
                subscription.offer(event)

    def remove(self, subscription: Subscriber) -> None:
        """Deliver nothing more."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)
            self._found.clear()
            self.tell_of_room()

    def deliver(self, event: Event) -> None:
        """Offer an event to everybody who subscribed to its class."""
        for subscription in self._subscribers(type(event)):
            subscription.offer(event)
        if isinstance(event, (ListeningOn, ListenAddressExpired, ListenerClosed)):
            self._remember(event)

    def room_for(self, event_class: type[Event]) -> int:
        """How many more such events none of those who hear them is too slow for."""
        return min((one.room for one in self._subscribers(event_class)), default=QUEUE_BOUND)

    async def wait_for_room(self, event_class: type[Event]) -> None:
        """Wait until all who hear such events have read enough of them.

        A subscriber that misses events is not waited for any longer.
        """
        while not self.room_for(event_class) and not self._closed:
            if self._awaited is None:
                self._awaited = anyio.Event()
            await self._awaited.wait()

    def tell_of_room(self) -> None:
        """Somebody has read much of what waited, or is not to be waited for."""
        if self._awaited is not None:
            self._awaited.set()
            self._awaited = None

    def close(self) -> None:
        """End every subscription."""
        self._closed = True
        for subscription in self._subscriptions:
            subscription.end()
        self.tell_of_room()

    def _subscribers(self, event_class: type[Event]) -> tuple[Subscriber, ...]:
        found = self._found.get(event_class)
        if found is None:
            found = self._found[event_class] = tuple(
                one for one in self._subscriptions if issubclass(event_class, one.event_classes)
            )
        return found

    def _remember(self, event: ListeningOn | ListenAddressExpired | ListenerClosed) -> None:
        if isinstance(event, ListeningOn):
            self._listening[event] = None
            return
        if isinstance(event, ListenAddressExpired):
            self._listening.pop(ListeningOn(event.listener_id, event.address), None)
            return
        for listening in list(self._listening):
            if listening.listener_id == event.listener_id:
                del self._listening[listening]
