"""Wishes: what the application has asked for; core builds a plugin anew that has failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._errors import TopicHasValidator
from ._listeners import Listeners

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerloom import PeerId

    from ._commands import Validator


class Wish:
    """Something that holds until `end`, which may be called at any time, and again."""

    def __init__(self, forget: Callable[[], None]) -> None:
        self._forget: Callable[[], None] | None = forget

    def end(self) -> None:
        """It is not wanted any more."""
        forget, self._forget = self._forget, None
        if forget is not None:
            forget()


class Wishes:
    """What is asked of one node.

    Attributes:
        listeners: who hears which topic.
        validators: who judges the messages of which topic.
        waiting: how many wait for peers to subscribe.
        scores: what the application thinks of peers; bounded by who writes it.
    """

    def __init__(self) -> None:
        self.listeners = Listeners()
        self.validators: dict[str, Validator] = {}
        self.waiting = 0
        self.scores: dict[PeerId, float] = {}

    def validate(self, topic: str, validator: Validator) -> Wish:
        """Judge a topic by this; raises `TopicHasValidator`."""
        if topic in self.validators:
            raise TopicHasValidator(topic)
        self.validators[topic] = validator
        return Wish(lambda: self._end_validation(topic))

    def wait_for_peers(self) -> Wish:
        """Somebody waits for peers to subscribe."""
        self.waiting += 1
        return Wish(self._end_waiting)

    def _end_waiting(self) -> None:
        self.waiting -= 1

    def _end_validation(self, topic: str) -> None:
        del self.validators[topic]
