"""The command line in other processes, read line by line, with a limit on every wait."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterator

T = TypeVar("T")

# Plugins that the tests install. One adds a command, and goes on with what the test wants;
# the other claims a section of core's.
GREETER = """
import typer
from peerloom.plugin import PluginInfo, hookimpl

class Greeter:
    info = PluginInfo("greeter")

    @hookimpl
    def peerloom_cli(self, app):
        @app.command()
        def {word}(name: str) -> None:
            "Greet somebody."
            typer.echo(f"Hello, {{name}}")
        {then}

plugin = Greeter()
"""

GREEDY = """
from attrs import frozen
from peerloom.plugin import ConfigSection, PluginInfo, hookimpl

@frozen
class Settings:
    total: int = 1

class Greedy:
    info = PluginInfo("greedy")

    @hookimpl
    def peerloom_config_sections(self):
        return [ConfigSection("limits", Settings)]

plugin = Greedy()
"""

NAMED_PORTS = range(20_000, 30_000)  # Linux gives those from 32768 on
SECONDS = 30.0  # for whatever a test waits for; two busy cores make a node slow to start


def environment(home: Path, **more: str) -> dict[str, str]:
    """A user who has never run Peerloom."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PEERLOOM_")}
    return {**clean, "HOME": str(home), "XDG_DATA_HOME": str(home / "data"), **more}


def command(*arguments: str) -> list[str]:
    return [str(Path(sys.executable).with_name("peerloom")), *arguments]


def peerloom(
    home: Path, *arguments: str, env: dict[str, str] | None = None, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        command(*arguments),
        check=False,
        capture_output=True,
        text=True,
        timeout=2 * SECONDS,
        env=environment(home, **(env or {})),
        **options,
    )


def install(folder: Path, name: str, source: str) -> dict[str, str]:
    """A distribution with one plugin, as pip would leave it; gives the environment to see it."""
    folder.mkdir(exist_ok=True)
    (folder / f"peerloom_{name}.py").write_text(source)
    metadata = folder / f"peerloom_{name}-1.2.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: peerloom-{name}\nVersion: 1.2\n"
    )
    (metadata / "entry_points.txt").write_text(
        f"[peerloom.plugins]\n{name} = peerloom_{name}:plugin\n"
    )
    return {"PYTHONPATH": str(folder)}


class Running:
    """A command that runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said: list[str] = []
        self.told: list[str] = []
        self._readers = [
            threading.Thread(target=self._read, args=(process.stdout, self.said)),
            threading.Thread(target=self._read, args=(process.stderr, self.told)),
        ]
        for reader in self._readers:
            reader.start()

    def line_with(self, text: str) -> str:
        """The first line, said or told, that contains the text."""

        def find() -> str | None:
            has_ended = self.process.poll() is not None
            if has_ended:  # its last lines may still be under way
                self._read_to_the_end()
            found = next((line for line in self.output if text in line), None)
            assert found or not has_ended, f"ended without {text!r}: {self.output}"
            return found

        return until(find) or ""

    @property
    def output(self) -> list[str]:
        return [*self.said, *self.told]

    def end(self, number: signal.Signals | None = None) -> int:
        """Send it a signal, if any, and wait for its end; gives its status."""
        if number is not None:
            self.process.send_signal(number)
        try:
            return self.process.wait(SECONDS)
        finally:
            self._read_to_the_end()

    def _read_to_the_end(self) -> None:
        for reader in self._readers:
            reader.join(SECONDS)

    def _read(self, stream: IO[str], lines: list[str]) -> None:
        lines.extend(line.rstrip("\n") for line in stream)


@contextmanager
def running(home: Path, *arguments: str, **env: str) -> Iterator[Running]:
    """A command in another process; killed at the end of the block if it still runs."""
    with subprocess.Popen(
        command(*arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(home, **env),
    ) as process:
        one = Running(process)
        try:
            yield one
        finally:
            process.kill()
            one.end()


def until(condition: Callable[[], T]) -> T:
    """What the condition gives as soon as that is true; another process makes it so."""
    deadline = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.002)
    return found


def free_port() -> int:
    """A port that stays free until somebody takes it by its number.

    It is none of those that the system gives to whoever asks for any, as all others here do.
    """
    with socket.socket() as probe:
        while True:
            port = secrets.choice(NAMED_PORTS)
            with suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
