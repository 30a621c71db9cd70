"""The command line: ``peerloom``, or ``python -m peerloom._cli``.

One module a command. A command's function imports what it needs when it is called: listing and
helping must stay quick.
"""

from __future__ import annotations


def main() -> None:
    """Run the command line of this process; exits with the command's status."""
    from ._app import run_app

    run_app()
