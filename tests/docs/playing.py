"""Plays a page: runs its blocks in order and tells what each shows and what it printed."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from docs._reference.names import sections
from peerloom import load_config
from tests.docs import programs
from tests.docs.masks import agree, meanings, translated
from tests.docs.projects import Project, project_beside
from tests.docs.terminal import BIN, Terminal, terminal
from tests.packaging.tree import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.docs.pages import Block, Page

PROMPT: Final = re.compile(r"^\$ (.*(?:\\\n.*)*)\n", re.MULTILINE)


@dataclass(frozen=True)
class Output:
    """What stands in a page between `start` and `end`, and what came out."""

    line: int
    start: int
    end: int
    shown: str
    printed: str

    @property
    def is_fresh(self) -> bool:
        """Whether the page shows it."""
        return agree(self.shown, self.printed)


@dataclass
class Play:
    """One page being played in a folder.

    `is_rewritten`: nothing that is shown is believed, so commands that run on are waited for
    until they are quiet.
    """

    folder: Path
    terminal: Terminal
    is_rewritten: bool
    project: Project
    meaning: dict[str, str] = field(default_factory=dict)

    def block(self, block: Block, group: Sequence[Block], shown: Block | None) -> Iterator[Output]:
        """Run one block; `group` are those that run together, the last of which it is."""
        if block.file:
            path = self.folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a") as file:
                file.write(block.text)
        elif block.language == "console":
            yield from self._console(block)
        elif block.language == "python":
            yield from self._python(block, group, shown)
        elif block.language == "toml":
            self._toml(block)
        elif block.language == "sh":
            check_shell(block.text, self.project)

    def _python(
        self, block: Block, group: Sequence[Block], shown: Block | None
    ) -> Iterator[Output]:
        is_part = "in node" in block.how
        for backend in programs.BACKENDS if is_part else programs.backends_of(block.text):
            if is_part:
                printed = programs.run_parts(group, backend, self.project.plugins)
            else:
                program = programs.on(backend, block.text)
                printed = programs.run_program(program, f"line {block.line}", self.folder)
            if shown:
                yield Output(shown.line, shown.start, shown.end, shown.text, printed)

    def _console(self, block: Block) -> Iterator[Output]:
        commands = list(PROMPT.finditer(block.text))
        assert commands, f"line {block.line}: no line begins with '$ '"
        ends = [found.start() for found in commands[1:]] + [len(block.text)]
        for found, end in zip(commands, ends, strict=True):
            shown = block.text[found.end() : end]
            runs_on = "runs on" in block.how and found is commands[-1]
            printed = self._command(translated(found[1], self.meaning), shown, runs_on=runs_on)
            self.meaning |= meanings(shown, printed)
            in_its_words = translated(printed, {mine: its for its, mine in self.meaning.items()})
            at = block.start + found.end()
            yield Output(block.line, at, block.start + end, shown, in_its_words)

    def _command(self, command: str, shown: str, *, runs_on: bool) -> str:
        if command.startswith("pip install "):
            self._install(command)
            return shown
        if not runs_on:
            return self.terminal.run(command)
        is_enough = None if self.is_rewritten else lambda printed: agree(shown, printed)
        return self.terminal.start(command, is_enough)

    def _install(self, command: str) -> None:
        """What a page has made is really installed, for its own commands; the rest is here."""
        for folder in re.findall(r"(?<=\s)'?\./([\w./-]+)", command):
            self.terminal.install(folder)
        if "./" not in command:
            check_pip(command, self.project)

    def _toml(self, block: Block) -> None:
        tomllib.loads(block.text)
        file = self.folder / f"line-{block.line}.toml"
        file.write_text(block.text)
        load_config(file, {}, {}, [section for _, section in sections()])


def play(page: Page, folder: Path, *, is_rewritten: bool = False) -> Iterator[Output]:
    """Run every block of a page in that folder; gives what they print where the page shows it."""
    blocks = list(page.blocks())
    group: list[Block] = []
    with terminal(folder) as commands, project_beside(page.path) as project:
        playing = Play(folder, commands, is_rewritten, project)
        for index, block in enumerate(blocks):
            following = blocks[index + 1] if index + 1 < len(blocks) else None
            shown = following if following and following.language == "text" else None
            group.append(block)
            if "beside the next" not in block.how:
                yield from playing.block(block, group, shown)
                group = []


def check_shell(text: str, project: Project) -> None:
    """Whether commands that a test cannot give (they install, or run for minutes) would work."""
    for line in text.splitlines():
        command = line.partition("#")[0].strip()
        match command.split():
            case ["pip", "install", *_]:
                check_pip(command, project)
            case ["make", target, *_]:
                makefile = (ROOT / "Makefile").read_text()
                assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"no target {target}"
            case ["python", "-m", module, *_]:
                assert find_spec(module), f"no module {module}"
            case ["pytest" | "peerloom" as program, *_]:
                assert (BIN / program).exists(), f"no program {program}"
            case []:
                pass
            case _:
                raise AssertionError(f"nobody knows how to check {command!r}")


@cache
def check_pip(command: str, project: Project) -> None:
    """All that it asks for is here already, so pip has nothing to fetch."""
    arguments = command.removeprefix("pip install ")
    if arguments == project.name:
        return
    pip = f"{sys.executable} -m pip install --dry-run --no-index --no-build-isolation"
    done = subprocess.run(
        ["bash", "-c", f"{pip} {arguments}"],
        cwd=project.folder,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{command}: {done.stderr}"
