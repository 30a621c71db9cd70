"""The driver: what a test sees when a peer fails, is missing, or is killed."""

from __future__ import annotations

import json
import logging
import tomllib
from pathlib import Path

import pytest

from .build import ToolchainMissing
from .driver import PeerError, command_or_skip, peer
from .here import our_node
from .party import PartyGone

PEERS = Path(__file__).parent / "peers"


async def test_driver_shows_the_log_of_a_peer_when_a_test_fails() -> None:
    async def failing_test() -> None:
        async with peer("py", listen=[]) as running:
            await running.request("no-such-command")

    with pytest.raises(PeerError) as failure:
        await failing_test()
    [log] = failure.value.__notes__
    assert "log of py" in log
    assert "no-such-command" in log


async def test_our_log_is_shown_too_when_a_test_fails() -> None:
    async def failing_test() -> None:
        async with our_node("/ip4/127.0.0.1/tcp/0") as here:
            logging.getLogger("peerloom.swarm").debug("what happened")
            here.tell("disconnected", peer="12D3")
            raise LookupError("no such thing")

    with pytest.raises(LookupError) as failure:
        await failing_test()
    [log] = failure.value.__notes__
    assert "log of peerloom" in log
    assert "DEBUG peerloom.swarm: what happened" in log
    assert '{"event": "disconnected", "peer": "12D3"}' in log


async def test_driver_says_that_a_killed_peer_is_gone() -> None:
    async with peer("py", listen=[]) as running:
        running.kill()
        with pytest.raises(PartyGone):
            await running.event("connected")
        with pytest.raises(PartyGone):
            await running.connections()


async def test_driver_says_what_it_waited_for_in_vain() -> None:
    async with peer("py", listen=[]) as running:
        with pytest.raises(TimeoutError, match=r"the event .*'connected'"):
            await running.event("connected", within=0.05)


async def test_driver_skips_a_peer_whose_toolchain_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("PEERLOOM_REQUIRE_ALL", raising=False)
    with pytest.raises(pytest.skip.Exception, match="install Node"):
        async with peer("js"):
            pass


async def test_driver_fails_for_a_missing_toolchain_where_all_is_required(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("PEERLOOM_REQUIRE_ALL", "1")
    with pytest.raises(ToolchainMissing, match="install Node"):
        async with peer("js"):
            pass


def test_build_keeps_the_repository_free_of_what_it_installs() -> None:
    folder = Path(command_or_skip("js")[1]).parent
    assert (folder / "node_modules" / "libp2p").is_dir()
    assert PEERS not in folder.parents
    assert not (PEERS / "js" / "node_modules").exists()


def test_package_lock_names_no_package_host_and_pins_all_that_is_installed() -> None:
    lock = json.loads((PEERS / "js" / "package-lock.json").read_text(encoding="utf-8"))
    installed = {name: facts for name, facts in lock["packages"].items() if name}
    assert installed
    assert all("resolved" not in facts for facts in installed.values())
    assert all("version" in facts for facts in installed.values())
    # Of the optional builds for other platforms npm notes no hash, since it never fetched them.
    unverified = {name for name, facts in installed.items() if "integrity" not in facts}
    assert all(installed[name]["optional"] and "os" in installed[name] for name in unverified)
    assert "node_modules/@chainsafe/libp2p-quic-linux-x64-gnu" not in unverified
    wanted = lock["packages"][""]["dependencies"]
    assert all(installed[f"node_modules/{name}"]["version"] == wanted[name] for name in wanted)


def test_build_of_rust_keeps_the_program_alone() -> None:
    program = Path(command_or_skip("rust")[0])
    assert program.is_file()
    assert not (program.parent / "target").exists()


def test_cargo_lock_names_no_package_host_and_pins_all_that_is_built() -> None:
    lock = tomllib.loads((PEERS / "rust" / "Cargo.lock.in").read_text(encoding="utf-8"))
    manifest = tomllib.loads((PEERS / "rust" / "Cargo.toml").read_text(encoding="utf-8"))
    foreign = [each for each in lock["package"] if each["name"] != manifest["package"]["name"]]
    assert foreign
    assert all(each["source"] == "@REGISTRY@" and each["checksum"] for each in foreign)
    locked = {(each["name"], each["version"]) for each in foreign}
    for name, wanted in manifest["dependencies"].items():
        version = wanted if isinstance(wanted, str) else wanted["version"]
        assert (name, version.removeprefix("=")) in locked
