"""Validation: whether messages of others are signed as they must be, and what validators say."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import anyio

from ._actions import Verdict
from ._events import message_of
from ._intake import Turn, Verifications
from ._signing import InvalidMessage, Verifier

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Mapping

    from peerloom.plugin import PluginContext

    from ._actions import Arrival
    from ._commands import Validator
    from ._config import GossipsubConfig
    from ._router import Router

_LOG = logging.getLogger("peerloom.gossipsub")


class Validation:
    """Verifies and judges what the router asks for; no more of it waits than the settings say."""

    def __init__(
        self,
        ctx: PluginContext,
        router: Router,
        validators: Mapping[str, Validator],
        losses: Counter[str],
        done: Callable[[], None],
    ) -> None:
        """Ask `validators`, by topic; `done` is called when the router has been told an answer."""
        self._ctx = ctx
        self._config: GossipsubConfig = ctx.config
        self._router = router
        self._losses = losses
        self._done = done
        self._waiting = Verifications()
        self._verifier = Verifier(self._config.signing)
        self._validators = validators

    async def run(self) -> None:
        """Verify what waits, in turns; what a turn leads to is done together, at its end."""
        turn = Turn(self._ctx.runtime.now)
        while True:
            await self._waiting.wait()
            turn.begin()
            while self._waiting:
                self._verify(self._waiting.pop())
                if turn.is_over or not self._waiting:
                    self._done()
                await turn.rest()

    def verify(self, arrival: Arrival) -> None:
        """Let `run` find out who published a message."""
        self._waiting.add(arrival)

    def judge(self, arrival: Arrival) -> None:
        """Ask the validator of its topic, if there is one."""
        validator = self._validators.get(arrival.message.topic)
        if validator is None:
            self._finish(arrival, Verdict.ACCEPT)
        else:
            self._ctx.spawn(self._ask, validator, arrival)

    def _verify(self, arrival: Arrival) -> None:
        if self._router.is_unwanted(arrival):
            self._router.dropped(arrival)
            return
        try:
            author = self._verifier.verify(arrival.message)
        except InvalidMessage as error:
            self._router.invalid(arrival, error.cause)
        else:
            self._router.verified(arrival, author, self._ctx.runtime.now())

    async def _ask(self, validator: Validator, arrival: Arrival) -> None:
        verdict, topic = Verdict.IGNORE, arrival.message.topic
        try:
            with anyio.move_on_after(self._config.validation_seconds) as deadline:
                answer: object = await validator(message_of(arrival))
                if isinstance(answer, Verdict):
                    verdict = answer
                else:
                    self._losses["message whose validator failed"] += 1
                    _LOG.error("the validator of %r answered %r: expected a Verdict", topic, answer)
            if deadline.cancelled_caught:
                self._losses["message whose validator was too slow"] += 1
        except Exception:  # noqa: BLE001 - the application's code: it must not end the plugin
            self._losses["message whose validator failed"] += 1
            _LOG.exception("the validator of %r failed", topic)
        self._finish(arrival, verdict)

    def _finish(self, arrival: Arrival, verdict: Verdict) -> None:
        self._router.judged(arrival, verdict, self._ctx.runtime.now())
        self._done()
