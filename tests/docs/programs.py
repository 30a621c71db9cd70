"""Runs the Python blocks of a page: whole programs, and parts of one beside a running node."""

from __future__ import annotations

import io
import os
import sys
import textwrap
from contextlib import asynccontextmanager, chdir, redirect_stdout
from typing import TYPE_CHECKING, Any, Final

import anyio

from peerloom import NetworkConfig, Node

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence
    from pathlib import Path

    from tests.docs.pages import Block

SECONDS: Final = 30.0
BACKENDS: Final = ("asyncio", "trio")
STARTS: Final = {"asyncio": "asyncio.run(main())", "trio": "trio.run(main)"}


def backends_of(program: str) -> tuple[str, ...]:
    """Where a program runs: on both, unless it uses more of one than its start."""
    for backend, start in STARTS.items():
        if start in program:
            is_bound = f"{backend}." in program.replace(start, "")
            return (backend,) if is_bound else BACKENDS
    return ("as it is",)


def on(backend: str, program: str) -> str:
    """The same program on that backend."""
    for other in STARTS.keys() - {backend}:
        if backend in STARTS and STARTS[other] in program:
            program = program.replace(STARTS[other], STARTS[backend])
            program = program.replace(f"import {other}\n", f"import {backend}\n")
    return program


def run_program(program: str, name: str, folder: Path) -> str:
    """Run a whole program in that folder; gives what it printed."""
    namespace = {"__name__": "__main__", "__file__": name}
    modules, path = set(sys.modules), list(sys.path)
    sys.path.insert(0, str(folder))
    printed = io.StringIO()
    try:
        with chdir(folder), redirect_stdout(printed):
            exec(compile(program, name, "exec"), namespace)
    finally:
        sys.path[:] = path
        _forget_modules_in(folder, modules)
    return printed.getvalue()


def _forget_modules_in(folder: Path, known: set[str]) -> None:
    for name in sys.modules.keys() - known:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(folder) + os.sep):
            del sys.modules[name]


def run_parts(blocks: Sequence[Block], backend: str, plugins: Sequence[object]) -> str:
    """Run parts of programs, the last one to its end and the others beside it.

    Their nodes have these plugins, beside those that are installed.
    """
    printed = io.StringIO()
    with redirect_stdout(printed):
        anyio.run(_run_parts, blocks, plugins, backend=backend)
    return printed.getvalue()


async def _run_parts(blocks: Sequence[Block], plugins: Sequence[object]) -> None:
    *beside, last = [_function_of(block) for block in blocks]
    with anyio.fail_after(SECONDS):
        async with _two_ends(plugins) as ends, anyio.create_task_group() as tasks:
            for function, names in zip(beside, ends, strict=False):
                tasks.start_soon(function, names)
                await anyio.wait_all_tasks_blocked()
            await last(ends[len(beside)])
            tasks.cancel_scope.cancel()


def _function_of(block: Block) -> Any:
    source = f"async def part():\n{textwrap.indent(block.text, '    ')}"
    code = compile(source, f"line {block.line}", "exec")

    async def run(names: Mapping[str, Any]) -> None:
        namespace = dict(names)
        exec(code, namespace)
        await namespace["part"]()

    return run


@asynccontextmanager
async def _two_ends(plugins: Sequence[object]) -> AsyncGenerator[list[dict[str, Any]], None]:
    """Two connected nodes, and what a block beside each of them may name."""
    config = NetworkConfig(listen=["/ip4/127.0.0.1/tcp/0"], strict=True)
    async with Node(config, plugins=plugins) as one, Node(config, plugins=plugins) as two:
        await one.client.dial(two.addresses[0])
        yield [
            {"node": mine, "peer": other.peer_id, "address": other.addresses[0]}
            for mine, other in ((one, two), (two, one))
        ]
