"""`peerloom run`: starts with nothing, says what it is doing, ends cleanly."""

from __future__ import annotations

import signal
import socket
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import pytest

from tests.cli.commands import free_port, install, peerloom, running, until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(180)  # several processes, each with its own limit

LOOPBACK = "/ip4/127.0.0.1/tcp/0"
PORT = 2428
STUCK = """
import time
print("importing", flush=True)
time.sleep(600)
"""


def _held_port() -> socket.socket | None:
    """The usual port, once a test beside this one has let go; None if somebody keeps it."""
    with suppress(AssertionError):
        return until(_hold_port)
    return None


def _hold_port() -> socket.socket | None:
    holder = socket.socket()
    # As a node binds, or a connection that only leaves from this port would be in our way alone.
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        holder.bind(("0.0.0.0", PORT))
        holder.listen()
    except OSError:
        holder.close()
        return None
    return holder


@pytest.mark.parametrize("backend", [(), ("--trio",)], ids=["asyncio", "trio"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_without_a_config_listens_and_ends_cleanly(
    tmp_path: Path, backend: tuple[str, ...], number: signal.Signals
) -> None:
    with running(tmp_path, "run", *backend) as node:
        peer = node.line_with("peer id").split()[-1]
        address = node.line_with("/ip4/127.0.0.1/tcp/")
        assert address.endswith(f"/p2p/{peer}")
        assert "/quic-v1/" in node.line_with("/ip4/127.0.0.1/udp/")
        assert node.end(number) == 0
        assert not any("Traceback" in line for line in node.told)
    assert peerloom(tmp_path, "id").stdout == f"{peer}\n"


def test_run_takes_a_free_port_when_the_usual_one_is_taken_and_says_so(tmp_path: Path) -> None:
    holder = _held_port()
    try:
        with running(tmp_path, "run") as node:
            told = node.line_with(f"port {PORT} is taken")
            assert told.endswith(": listening on free ones instead")
            assert f"/tcp/{PORT}/" not in node.line_with("listening on /ip4/127.0.0.1/tcp/")
            assert node.end(signal.SIGTERM) == 0
    finally:
        if holder is not None:
            holder.close()


def test_run_keeps_its_identity_and_takes_its_port_again(tmp_path: Path) -> None:
    listen = ("--listen", f"/ip4/127.0.0.1/tcp/{free_port()}")
    said = []
    for _ in range(2):
        with running(tmp_path, "run", *listen) as node:
            said.append([node.line_with("peer id"), node.line_with("listening on")])
            assert node.end(signal.SIGTERM) == 0
    assert said[0] == said[1]


def test_run_dials_tells_who_comes_and_goes_and_lives_on(tmp_path: Path) -> None:
    with running(tmp_path, "run", "--listen", LOOPBACK, "--data", str(tmp_path / "one")) as first:
        address = first.line_with("listening on").split()[-1]
        arguments = ("--listen", LOOPBACK, "--dial", address, "--data", str(tmp_path / "two"))
        with running(tmp_path, "run", *arguments, "--trio") as second:
            peer = second.line_with("peer id").split()[-1]
            second.line_with(f"connected to {address.rpartition('/')[2]}")
            first.line_with(f"connected to {peer}")
            assert second.end(signal.SIGTERM) == 0
        first.line_with(f"disconnected from {peer}")
        assert first.end(signal.SIGTERM) == 0


def test_run_dials_a_peer_that_is_not_there_until_it_is(tmp_path: Path) -> None:
    listen = ("--listen", f"/ip4/127.0.0.1/tcp/{free_port()}", "--data", str(tmp_path / "one"))
    with running(tmp_path, "run", *listen) as first:
        address = first.line_with("listening on").split()[-1]
        assert first.end(signal.SIGTERM) == 0
    arguments = ("--listen", LOOPBACK, "--dial", address, "--data", str(tmp_path / "two"))
    with running(tmp_path, "run", *arguments) as second:
        second.line_with("trying again until it is there")
        with running(tmp_path, "run", *listen) as first:
            second.line_with(f"connected to {address.rpartition('/')[2]}")
            assert first.end(signal.SIGTERM) == 0
        assert second.end(signal.SIGTERM) == 0


def test_run_that_cannot_dial_says_so_and_lives_on(tmp_path: Path) -> None:
    nobody = f"/ip4/127.0.0.1/tcp/{free_port()}"
    with running(tmp_path, "run", "--listen", LOOPBACK, "--dial", nobody) as node:
        assert "cannot connect" in node.line_with(f"--dial {nobody}")
        node.line_with("not tried again: it does not end in /p2p/")
        assert node.end(signal.SIGTERM) == 0


@pytest.mark.parametrize("command", [("run",), ("sub", "news")], ids=lambda words: words[0])
@pytest.mark.parametrize("target", ["localhost:4001", f"{LOOPBACK}/p2p/12D3KooWC5NPr3K9u", ""])
def test_a_dial_of_what_is_no_address_is_a_wrong_use(
    tmp_path: Path, command: tuple[str, ...], target: str
) -> None:
    done = peerloom(tmp_path, *command, "--listen", LOOPBACK, "--dial", target)
    assert done.returncode == 2
    assert (
        f"'--dial': expected an address such as /ip4/192.0.2.1/tcp/2428/p2p/…, found {target!r}"
        in (done.stderr)
    )


@pytest.mark.parametrize("command", [("run",), ("doctor",), ("pub", "news")], ids=lambda it: it[0])
@pytest.mark.parametrize("address", ["localhost:4001", "/ip4/127.0.0.1/tcp/99999", ""])
def test_a_listen_on_what_is_no_address_is_a_wrong_use(
    tmp_path: Path, command: tuple[str, ...], address: str
) -> None:
    done = peerloom(tmp_path, *command, "--listen", address)
    assert (done.returncode, done.stdout) == (2, "")
    assert "'--listen' / '-l': expected an address such as /ip4/127.0.0.1/tcp/2428" in done.stderr
    assert f"found {address!r}" in done.stderr


@pytest.mark.parametrize("command", [("run",), ("sub", "news")], ids=lambda words: words[0])
def test_a_dial_of_the_node_itself_is_a_wrong_use(tmp_path: Path, command: tuple[str, ...]) -> None:
    peerloom(tmp_path, "init")
    own = f"{LOOPBACK}/p2p/{peerloom(tmp_path, 'id').stdout.strip()}"
    done = peerloom(tmp_path, *command, "--listen", LOOPBACK, "--dial", own)
    assert done.returncode == 2
    assert f"'--dial': {own} is this node itself" in done.stderr


def test_run_of_a_second_node_on_one_data_folder_is_refused(tmp_path: Path) -> None:
    with running(tmp_path, "run", "--listen", LOOPBACK) as node:
        node.line_with("listening on")
        done = peerloom(tmp_path, "run", "--listen", LOOPBACK)
        assert done.returncode == 1
        assert done.stdout == ""
        assert f"in use by process {node.process.pid}" in done.stderr
        assert done.stderr.count("\n") == 1
        assert node.end(signal.SIGTERM) == 0


def test_run_reads_its_config_environment_and_options_in_that_order(tmp_path: Path) -> None:
    ports = [free_port() for _ in range(3)]
    addresses = [f"/ip4/127.0.0.1/tcp/{port}" for port in ports]
    config = tmp_path / "node.toml"
    config.write_text(f'listen = ["{addresses[0]}"]\n')
    options = ("run", "--config", str(config))
    with running(tmp_path, *options) as node:
        node.line_with(f"listening on {addresses[0]}/")
    with running(tmp_path, *options, PEERLOOM_LISTEN=addresses[1]) as node:
        node.line_with(f"listening on {addresses[1]}/")
    more = ("--listen", addresses[2])
    with running(tmp_path, *options, *more, PEERLOOM_LISTEN=addresses[1]) as node:
        node.line_with(f"listening on {addresses[2]}/")


def test_run_reads_the_config_that_init_wrote(tmp_path: Path) -> None:
    assert peerloom(tmp_path, "init").returncode == 0
    config = tmp_path / "data" / "peerloom" / "config.toml"
    address = f"/ip4/127.0.0.1/tcp/{free_port()}"
    config.write_text(config.read_text().replace("#listen = []", f'listen = ["{address}"]'))
    with running(tmp_path, "run") as node:
        node.line_with(f"listening on {address}/")
        assert node.end(signal.SIGTERM) == 0


@pytest.mark.parametrize("module", ["multiaddr", "typer", "peerloom_slow"])
def test_run_that_is_interrupted_while_it_imports_ends_without_a_word(
    tmp_path: Path, module: str
) -> None:
    env = install(tmp_path / "site", "slow", "")
    (tmp_path / "site" / f"{module}.py").write_text(STUCK)
    with running(tmp_path, "run", **env) as node:
        node.line_with("importing")
        assert node.end(signal.SIGINT) == -signal.SIGINT
        assert node.output == ["importing"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--listen", "/ip4/203.0.113.1/tcp/1"), "cannot listen on /ip4/203.0.113.1/tcp/1"),
        (("--plugin", "missing"), "missing is enabled, but not installed"),
        (("--no-plugin", "swarm"), "a node cannot do without it"),
        (("--config", "/nowhere.toml"), "/nowhere.toml: cannot be read"),
    ],
)
def test_run_with_a_wrong_setting_is_one_line_and_a_status(
    tmp_path: Path, arguments: tuple[str, ...], complaint: str
) -> None:
    done = peerloom(tmp_path, "run", *arguments)
    assert done.returncode == 1
    assert complaint in done.stderr
    assert done.stderr.startswith("peerloom: ")
    assert done.stderr.splitlines()[-1].startswith("peerloom: ")
    assert "Traceback" not in done.stderr


def test_run_without_a_plugin_does_not_speak_its_protocols(tmp_path: Path) -> None:
    with running(tmp_path, "run", "--listen", LOOPBACK, "--no-plugin", "ping") as node:
        address = node.line_with("listening on").split()[-1]
        done = peerloom(tmp_path, "ping", address, "--count", "1")
        assert done.returncode == 1
        assert "no answer" in done.stdout
        assert node.end(signal.SIGTERM) == 0


def test_port_is_free_for_others_after_the_end(tmp_path: Path) -> None:
    port = free_port()
    with running(tmp_path, "run", "--listen", f"/ip4/127.0.0.1/tcp/{port}") as node:
        node.line_with("listening on")
        assert node.end(signal.SIGTERM) == 0
    with closing(socket.create_server(("127.0.0.1", port))):
        pass
