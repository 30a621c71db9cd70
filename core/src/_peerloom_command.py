"""The command ``peerloom`` before its imports: a module outside of the package is there first.

Importing anything of the package imports all of it, and whoever presses Ctrl-C meanwhile wants no
traceback.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType


def main() -> None:
    """Run the command line of this process; exits with the command's status."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not where it is ignored
        signal.signal(signal.SIGINT, _leave)
    from peerloom._cli._app import run_app  # noqa: PLC0415 - see above

    run_app()


def _leave(number: int, _: FrameType | None) -> None:
    os._exit(128 + number)  # nothing has begun that would have to be ended
