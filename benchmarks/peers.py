"""The programs behind the contestants: one worker for each implementation."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.interop.build import command_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

LIBP2P: Final = (
    "peerloom-asyncio",
    "peerloom-trio",
    "py-libp2p",
    "js-libp2p",
    "go-libp2p",
    "rust-libp2p",
)
OUR_BACKENDS: Final = {"peerloom-asyncio": "asyncio", "peerloom-trio": "trio"}
BLOCKING_TLS: Final = "blocking-tls"
BLOCKING_NOISE: Final = "blocking-noise"
PLAIN_TCP: Final = "plain-tcp"

_JS: Final = Path(__file__).parent / "workers" / "js"


def worker_command(name: str) -> Sequence[str]:
    """The command that runs a contestant's worker; raises `ToolchainMissing`."""
    return _COMMANDS[name]()


def gossip_command(name: str) -> Sequence[str]:
    """The command that runs its gossipsub nodes; raises `ToolchainMissing`."""
    return _GOSSIP_COMMANDS[name]()


def _python(module: str, *arguments: str) -> Callable[[], Sequence[str]]:
    return lambda: (sys.executable, "-m", f"benchmarks.workers.{module}", *arguments)


def _js(program: str) -> Callable[[], Sequence[str]]:
    """The interop peer's installation (js-libp2p, its settings) under a program of our own."""

    def command() -> Sequence[str]:
        node, peer = command_of("js")
        return (node, str(_JS / program), str(Path(peer).parent))

    return command


def _other_mode_of(peer: str) -> Callable[[], Sequence[str]]:
    """The interop peer's program as a contestant."""
    return lambda: (*command_of(peer), "bench")


_COMMANDS: Final[Mapping[str, Callable[[], Sequence[str]]]] = {
    "peerloom-asyncio": _python("ours", "asyncio"),
    "peerloom-trio": _python("ours", "trio"),
    "py-libp2p": _python("py_libp2p"),
    "js-libp2p": _js("worker.mjs"),
    "go-libp2p": _other_mode_of("go"),
    "rust-libp2p": _other_mode_of("rust"),
    BLOCKING_TLS: _python("blocking", "tls"),
    BLOCKING_NOISE: _python("blocking", "noise"),
    PLAIN_TCP: _python("blocking", "tcp"),
}
_GOSSIP_COMMANDS: Final[Mapping[str, Callable[[], Sequence[str]]]] = {
    "peerloom-asyncio": _python("gossip_ours", "asyncio"),
    "peerloom-trio": _python("gossip_ours", "trio"),
    "py-libp2p": _python("gossip_py"),
    "js-libp2p": _js("gossip.mjs"),
}
