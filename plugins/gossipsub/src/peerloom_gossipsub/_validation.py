"""Validation: whether messages of others are signed as they must be, and what validators say."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import anyio
from anyio.lowlevel import checkpoint_if_cancelled

from ._actions import Verdict
from ._change import Change
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

MAX_ASKED: Final = 4096  # a task each, and a frame can hold more messages than a plugin may tasks
_TOGETHER: Final = 64  # messages verified before what that leads to is done

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
        self._asked = 0
        self._is_over = False
        self._answered = Change()

    async def run(self) -> None:
        """Verify what waits, in turns; what a turn leads to is done together, at its end."""
        turn = Turn(self._ctx.runtime.now)
        while True:
            await self._waiting.wait()
            turn.begin()
            verified = 0
            while self._waiting:
                await self._answered.until(lambda: self._asked < MAX_ASKED)
                self._verify(self._waiting.pop())
                verified += 1
                if turn.is_over or verified % _TOGETHER == 0 or not self._waiting:
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
        elif not self._is_over:
            self._asked += 1
            self._ctx.spawn(self._ask, validator, arrival)

    def finish(self) -> None:
        """Ask no more validators: the plugin is being left, and can have no new task."""
        self._is_over = True

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
        except (Exception, anyio.get_cancelled_exc_class()):  # noqa: BLE001 - the application's code
            await checkpoint_if_cancelled()  # else it has awaited what somebody else cancelled
            self._losses["message whose validator failed"] += 1
            _LOG.exception("the validator of %r failed", topic)
        self._asked -= 1
        self._answered.tell()
        self._finish(arrival, verdict)

    def _finish(self, arrival: Arrival, verdict: Verdict) -> None:
        self._router.judged(arrival, verdict, self._ctx.runtime.now())
        self._done()
