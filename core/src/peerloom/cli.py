"""What the commands need that a plugin adds to the command line, beside typer.

::

    @hookimpl
    def peerloom_cli(self, app):
        @app.command()
        def greet(name: str, dial: DialAddresses = None, data: DataFolder = None) -> None:
            "Greet somebody."
            settings = settings_of(data=data)
            run_until_signal(partial(_greet, name, settings.load(), dial), trio=False)

    async def _greet(name, config, dial):
        async with passing_node(config, dial or ()) as node:
            ...

Options are `Annotated` types with their help, the same as those of core's commands.
"""

from ._cli._nodes import listening_node, passing_node
from ._cli._options import (
    AsJson,
    ConfigFile,
    DataFolder,
    DialAddresses,
    Listen,
    Trio,
    settings_of,
)
from ._cli._output import say, say_json, tell
from ._cli._running import exit_status, run_until_signal
from ._cli._settings import Settings
from ._cli._sharing import addresses_to_tell

__all__ = [
    "AsJson",
    "ConfigFile",
    "DataFolder",
    "DialAddresses",
    "Listen",
    "Settings",
    "Trio",
    "addresses_to_tell",
    "exit_status",
    "listening_node",
    "passing_node",
    "run_until_signal",
    "say",
    "say_json",
    "settings_of",
    "tell",
]
