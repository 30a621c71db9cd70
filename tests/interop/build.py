"""Where the peers' programs come from: built once into a cache outside the repository.

``python -m tests.interop.build`` builds them all, so that no test has to wait for it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

ROOT: Final = Path(__file__).parents[2]
_PEERS: Final = Path(__file__).parent / "peers"
_OLDEST_NODE: Final = 20
_OLDEST_RUSTC: Final = "1.85"
_NODE: Final = f"Node.js {_OLDEST_NODE} or newer"
_RUST: Final = f"Rust {_OLDEST_RUSTC} or newer with cargo"
# No other toolchain is fetched, whatever go.mod asks for.
_GO_ENVIRONMENT: Final = {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly"}
_BUILD_SECONDS: Final = 1200
_NOT_SOURCES: Final = {"node_modules", "target", "Cargo.lock"}
_SMALL_CRATE: Final = """
[package]
name = "asks-where-crates-come-from"
edition = "2021"
[lib]
path = "lib.rs"
[dependencies]
cfg-if = "1"
"""


class ToolchainMissing(Exception):
    """What a peer needs is not on this machine; the text says what, and how to get it."""


def command_of(kind: str) -> Sequence[str]:
    """The command that runs a peer, which is built first if it was not yet.

    Raises:
        ToolchainMissing: its tools are not installed.
    """
    return _COMMANDS[kind]()


def _command_of_js() -> Sequence[str]:
    node = _tool("node", _NODE)
    _check_node(node)
    return (node, str(_build("js", _install_js) / "peer.js"))


def _command_of_py() -> Sequence[str]:
    return (sys.executable, "-m", "tests.interop.peers.py")


def _command_of_go() -> Sequence[str]:
    _check_go(_tool("go", _go_needed()))
    return (str(_build("go", _build_go) / "peer"),)


def _command_of_rust() -> Sequence[str]:
    _check_rustc(_tool("rustc", _RUST))
    return (str(_build("rust", _install_rust) / "peer"),)


_COMMANDS: Final[dict[str, Callable[[], Sequence[str]]]] = {
    "js": _command_of_js,
    "py": _command_of_py,
    "go": _command_of_go,
    "rust": _command_of_rust,
}
KINDS: Final = tuple(_COMMANDS)


def _install_js(folder: Path) -> None:
    _run([_tool("npm", _NODE), "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)


def _build_go(folder: Path) -> None:
    command = [_tool("go", _go_needed()), "build", "-trimpath", "-ldflags", "-s -w"]
    _run([*command, "-o", "peer"], folder, _GO_ENVIRONMENT)


def _install_rust(folder: Path) -> None:
    cargo = _tool("cargo", _RUST)
    lock = (folder / "Cargo.lock.in").read_text(encoding="utf-8")
    source = _source_of_crates(cargo)
    (folder / "Cargo.lock").write_text(lock.replace("@REGISTRY@", source), encoding="utf-8")
    built = folder / "target"
    _run([cargo, "build", "--release", "--locked", f"--target-dir={built}"], folder)
    (built / "release" / "peer").rename(folder / "peer")
    shutil.rmtree(built)


def _source_of_crates(cargo: str) -> str:
    """What cargo writes into lock files here; the repository names no package host."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "Cargo.toml").write_text(_SMALL_CRATE, encoding="utf-8")
        (folder / "lib.rs").touch()
        _run([cargo, "generate-lockfile"], folder)
        lock = (folder / "Cargo.lock").read_text(encoding="utf-8")
    [source] = re.findall('^source = "(.*)"$', lock, re.MULTILINE)
    return str(source)


def _build(kind: str, install: Callable[[Path], None]) -> Path:
    sources = _sources_of(kind)
    target = _cache() / f"{kind}-{_hash_of(kind, sources)}"
    with locked(_cache() / f"{kind}.lock"):
        if not target.exists():
            _build_into(target, kind, sources, install)
    return target


def _build_into(
    target: Path, kind: str, sources: Sequence[str], install: Callable[[Path], None]
) -> None:
    unfinished = target.with_name(f"{target.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    for source in sources:
        copy = unfinished / source
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(_PEERS / kind / source, copy)
    install(unfinished)
    unfinished.rename(target)


def _sources_of(kind: str) -> list[str]:
    """The names of a peer's files, from its folder on."""
    folder = _PEERS / kind
    names = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    return sorted(name.as_posix() for name in names if _NOT_SOURCES.isdisjoint(name.parts))


def _hash_of(kind: str, sources: Sequence[str]) -> str:
    digest = hashlib.sha256()
    for source in sources:
        content = (_PEERS / kind / source).read_bytes()
        digest.update(source.encode() + b"\0" + content + b"\0")
    return digest.hexdigest()[:16]


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    cache = Path(base) / "peerloom" / "peers"
    cache.mkdir(parents=True, exist_ok=True)
    return cache


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _check_node(node: str) -> None:
    version = _run([node, "--version"], _PEERS)
    if int(version.removeprefix("v").partition(".")[0]) < _OLDEST_NODE:
        raise ToolchainMissing(f"the js peer needs {_NODE}, this is {version.strip()}")


def _go_needed() -> str:
    return f"Go {_oldest_go()} or newer"


def _check_rustc(rustc: str) -> None:
    version = _run([rustc, "--version"], _PEERS).split()[1]
    if _numbers(version) < _numbers(_OLDEST_RUSTC):
        raise ToolchainMissing(f"the rust peer needs {_RUST}, this is {version}")


def _check_go(go: str) -> None:
    version = _run([go, "env", "GOVERSION"], ROOT, _GO_ENVIRONMENT).strip().removeprefix("go")
    if _numbers(version) < _numbers(_oldest_go()):
        raise ToolchainMissing(f"the go peer needs {_go_needed()}, this is {version}")


def _oldest_go() -> str:
    [version] = re.findall(r"^go (\S+)$", (_PEERS / "go" / "go.mod").read_text(), re.MULTILINE)
    return str(version)


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def _tool(name: str, how: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise ToolchainMissing(f"there is no {name} here: install {how}")
    return path


def _run(command: Sequence[str], folder: Path, more: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **(more or {})},
        capture_output=True,
        text=True,
        timeout=_BUILD_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def _build_all() -> None:
    for kind in KINDS:
        try:
            print(f"{kind}: {' '.join(command_of(kind))}")
        except ToolchainMissing as error:
            print(f"{kind}: not here: {error}")
            if os.environ.get("PEERLOOM_REQUIRE_ALL") == "1":
                raise


if __name__ == "__main__":
    _build_all()
