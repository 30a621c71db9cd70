"""Who in the application hears which topic."""

from __future__ import annotations

from typing import Protocol


class Listener(Protocol):
    """A part of an application that hears a topic for a time.

    Attributes:
        has_left: whether it hears no more; its word may have come while the plugin was built anew.
    """

    has_left: bool


class Listeners:
    """The parts of an application that have subscribed, by topic."""

    def __init__(self) -> None:
        self._of: dict[str, set[Listener | None]] = {}

    def add(self, topic: str, who: Listener | None) -> bool:
        """Gives whether that is new."""
        those = self._of.setdefault(topic, set())
        if who in those:
            return False
        those.add(who)
        return True

    def remove(self, topic: str, who: Listener | None) -> bool:
        """Gives whether it was there."""
        those = self._of.get(topic, set())
        if who not in those:
            return False
        those.remove(who)
        if not those:
            del self._of[topic]
        return True

    def forget_who_left(self) -> None:
        """Those whose leaving nobody has answered, as the plugin was being built anew."""
        for topic, those in list(self._of.items()):
            for who in [each for each in those if each is not None and each.has_left]:
                self.remove(topic, who)

    @property
    def topics(self) -> tuple[str, ...]:
        """What somebody hears."""
        return tuple(self._of)

    def __contains__(self, topic: str) -> bool:
        return topic in self._of
