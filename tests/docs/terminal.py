"""A terminal: runs the commands of a page, one after the other, in a folder of their own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS: Final = 60.0  # for a command, on a busy machine
QUIET_SECONDS: Final = 2.0  # so long nothing was printed: whoever writes pages anew waits for it
BIN: Final = Path(sys.executable).parent


class Terminal:
    """Runs commands; those that run on are interrupted at the end."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._running: list[_Background] = []
        self._site = home / ".site"
        self._paths = [str(self._site)]

    def run(self, command: str) -> str:
        """Run a command to its end; gives what it printed, errors included."""
        done = subprocess.run(
            ["bash", "-c", command],
            check=False,
            cwd=self.home,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
        )
        return self._without_paths(done.stdout)

    def install(self, folder: str) -> None:
        """Install a distribution for the commands of this terminal; its own folder stays used."""
        pip = f"{sys.executable} -m pip install --quiet --no-index --no-deps --no-build-isolation"
        said = self.run(f"{pip} --target {self._site} ./{folder}")
        assert not said, said
        self._paths.insert(0, str(self.home / folder / "src"))

    def start(self, command: str, is_enough: Callable[[str], bool] | None) -> str:
        """Start a command that runs on; gives what it has printed once that is enough.

        Without a condition it is enough when nothing more comes.
        """
        one = _Background(command, self.home, self._environment())
        self._running.append(one)
        return self._without_paths(one.wait(is_enough, self._without_paths))

    def end(self) -> None:
        """Interrupt what runs, the last first."""
        with ExitStack() as stack:
            for one in self._running:
                stack.callback(one.end)

    def _environment(self) -> dict[str, str]:
        clean = {name: text for name, text in os.environ.items() if name[:8] != "PEERLOOM"}
        return {
            **clean,
            "HOME": str(self.home),
            "XDG_DATA_HOME": str(self.home / "data"),
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(self._paths),
            "PYTHONUNBUFFERED": "1",
            "COLUMNS": "90",
            "TERM": "dumb",
        }

    def _without_paths(self, text: str) -> str:
        return re.sub(rf"{re.escape(str(self.home))}(?:/data)?", "~", text)


class _Background:
    """A command that runs on, and what it has printed."""

    def __init__(self, command: str, folder: Path, environment: dict[str, str]) -> None:
        self._command = command
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._process = subprocess.Popen(
            ["bash", "-c", command],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def wait(self, is_enough: Callable[[str], bool] | None, view: Callable[[str], str]) -> str:
        """What it has printed, once that is enough."""
        deadline = time.monotonic() + SECONDS
        with self._changed:
            while not (is_enough and is_enough(view(self._printed))):
                is_patient = is_enough or not self._lines
                patience = deadline - time.monotonic() if is_patient else QUIET_SECONDS
                came = self._changed.wait(patience)
                if not came or self._process.poll() is not None:
                    break
            return self._printed

    def end(self) -> None:
        """Interrupt it as Ctrl-C does."""
        try:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGINT)
            self._process.wait(SECONDS)
        finally:
            self._process.kill()
            self._reader.join(SECONDS)
            self._process.stdout.close()

    @property
    def _printed(self) -> str:
        return "".join(self._lines)

    def _read(self) -> None:
        for line in self._process.stdout:
            with self._changed:
                self._lines.append(line)
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()


@contextmanager
def terminal(home: Path) -> Iterator[Terminal]:
    """A terminal whose commands all end with the block."""
    one = Terminal(home)
    try:
        yield one
    finally:
        one.end()
