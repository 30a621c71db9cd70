"""The command ``peerloom`` before its imports: a module outside of the package is there first.

Importing anything of the package imports all of it, and whoever presses Ctrl-C meanwhile wants no
traceback.
"""

from __future__ import annotations

import signal


def main() -> None:
    """Run the command line of this process; exits with the command's status."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not where it is ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # nothing has begun that had to be ended
    from peerloom._cli._app import run_app  # noqa: PLC0415 - see above

    run_app()
