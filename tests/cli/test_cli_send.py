"""A file goes from one process to another by its ticket, through whatever happens to them."""

from __future__ import annotations

import hashlib
import json
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from peerloom._ticket import Ticket
from peerloom._transfer._part import PartFile
from tests.cli.commands import Running, free_port, peerloom, running, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(180)  # several processes, each with its own limit

MEBIBYTE = 1 << 20
LOOPBACK = "/ip4/127.0.0.1/tcp/0"
BIG = 192 * MEBIBYTE  # takes long enough to be interrupted

backends = pytest.mark.parametrize("backend", [(), ("--trio",)], ids=["asyncio", "trio"])


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "holiday film.mp4"
    path.write_bytes(hashlib.shake_256(b"small").digest(3 * MEBIBYTE))
    return path


@pytest.fixture
def big_source(tmp_path: Path) -> Path:
    path = tmp_path / "big.bin"
    block = hashlib.shake_256(b"big").digest(MEBIBYTE)
    with path.open("wb") as file:
        for number in range(BIG // MEBIBYTE):
            file.write(number.to_bytes(8) + block[8:])
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "received"
    folder.mkdir()
    return folder


@contextmanager
def sending(home: Path, path: Path, *arguments: str) -> Iterator[tuple[Running, str]]:
    """A process that sends a file, and its ticket."""
    with running(home, "send", str(path), "--listen", LOOPBACK, *arguments) as sender:
        yield sender, sender.line_with("peerloom1")


def digest_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def part_of(folder: Path) -> Path | None:
    return next(iter(folder.glob(".*.part")), None)


def has_begun(folder: Path) -> bool:
    part = part_of(folder)
    return part is not None and part.stat().st_size > MEBIBYTE


@backends
def test_file_is_fetched_by_its_ticket_and_both_ends_end(
    tmp_path: Path, source: Path, target: Path, backend: tuple[str, ...]
) -> None:
    with sending(tmp_path, source, *backend) as (sender, ticket):
        done = peerloom(tmp_path, "receive", ticket, "--to", str(target), *backend)
        assert (done.returncode, done.stdout) == (0, f"{target / source.name}\n"), done.stderr
        assert "verified" in done.stderr
        assert sender.end() == 0
        assert any("has it, verified" in line for line in sender.told)
        assert sender.said == [ticket]
    assert digest_of(target / source.name) == digest_of(source)
    assert [path.name for path in target.iterdir()] == [source.name]


def test_file_lands_in_the_folder_at_hand_without_an_option(
    tmp_path: Path, source: Path, target: Path
) -> None:
    with sending(tmp_path, source) as (_, ticket):
        done = peerloom(tmp_path, "receive", ticket, cwd=target)
    assert (done.returncode, done.stdout) == (0, f"{source.name}\n"), done.stderr
    assert digest_of(target / source.name) == digest_of(source)


def test_existing_file_is_never_replaced(tmp_path: Path, source: Path, target: Path) -> None:
    (target / source.name).write_text("mine")
    with sending(tmp_path, source) as (_, ticket):
        done = peerloom(tmp_path, "receive", ticket, "--to", str(target))
    assert done.stdout == f"{target / 'holiday film (1).mp4'}\n", done.stderr
    assert (target / source.name).read_text() == "mine"


def test_sender_that_keeps_serving_serves_again_and_stops_at_sigterm(
    tmp_path: Path, source: Path, target: Path
) -> None:
    with sending(tmp_path, source, "--keep") as (sender, ticket):
        for _ in range(2):
            assert peerloom(tmp_path, "receive", ticket, "--to", str(target)).returncode == 0
        assert sender.end(signal.SIGTERM) == 0
    assert len(list(target.iterdir())) == 2


def test_ticket_names_peer_address_content_size_and_name(tmp_path: Path, source: Path) -> None:
    with sending(tmp_path, source) as (sender, text):
        ticket = Ticket.from_string(text)
        assert sender.end(signal.SIGINT) == 0
    assert ticket.content_hash == digest_of(source)
    assert (ticket.size, ticket.name) == (3 * MEBIBYTE, source.name)
    assert [str(address).partition("/tcp")[0] for address in ticket.addresses] == ["/ip4/127.0.0.1"]
    done = peerloom(tmp_path, "id")
    assert done.stdout == f"{ticket.peer}\n"


@backends
def test_transfer_goes_on_after_the_sender_was_killed(
    tmp_path: Path, big_source: Path, target: Path, backend: tuple[str, ...]
) -> None:
    port = ("--listen", f"/ip4/127.0.0.1/tcp/{free_port()}", *backend)
    arguments = ("--to", str(target), "--json", *backend)
    with running(tmp_path, "send", str(big_source), *port) as sender:
        ticket = sender.line_with("peerloom1")
        with running(tmp_path, "receive", ticket, *arguments, "--attempts", "1") as receiver:
            until(lambda: has_begun(target))
            assert sender.end(signal.SIGKILL) == -signal.SIGKILL
            assert receiver.end() == 1
            assert len(receiver.told) == 1, receiver.told
            assert "broke off with" in receiver.told[0]
            assert "run the same command again" in receiver.told[0]
    part = part_of(target)
    assert part is not None
    kept = part.stat().st_size
    assert 0 < kept < BIG
    assert not (target / big_source.name).exists()
    with running(tmp_path, "send", str(big_source), *port) as sender:
        assert sender.line_with("peerloom1") == ticket
        done = peerloom(tmp_path, "receive", ticket, *arguments)
        assert done.returncode == 0, done.stderr
        assert sender.end() == 0
    assert json.loads(done.stdout)["fetched_bytes"] == BIG - kept
    assert digest_of(target / big_source.name) == digest_of(big_source)
    assert part_of(target) is None


def test_receiver_itself_goes_on_when_the_sender_comes_back(
    tmp_path: Path, big_source: Path, target: Path
) -> None:
    port = ("--listen", f"/ip4/127.0.0.1/tcp/{free_port()}")
    with running(tmp_path, "send", str(big_source), *port) as sender:
        ticket = sender.line_with("peerloom1")
        with running(tmp_path, "receive", ticket, "--to", str(target)) as receiver:
            until(lambda: has_begun(target))
            sender.end(signal.SIGKILL)
            receiver.line_with("the next attempt is in")
            with running(tmp_path, "send", str(big_source), *port) as again:
                assert receiver.end() == 0, receiver.told
                assert again.end() == 0
    assert digest_of(target / big_source.name) == digest_of(big_source)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_transfer_goes_on_after_the_receiver_was_stopped(
    tmp_path: Path, big_source: Path, target: Path, number: signal.Signals
) -> None:
    with sending(tmp_path, big_source) as (sender, ticket):
        with running(tmp_path, "receive", ticket, "--to", str(target)) as receiver:
            until(lambda: has_begun(target))
            status = receiver.end(number)
        assert status == (-number if number == signal.SIGKILL else 128 + number)
        assert not (target / big_source.name).exists()
        done = peerloom(tmp_path, "receive", ticket, "--to", str(target), "--json")
        assert done.returncode == 0, done.stderr
        assert sender.end() == 0
    assert json.loads(done.stdout)["fetched_bytes"] < BIG
    assert digest_of(target / big_source.name) == digest_of(big_source)


def test_file_changed_while_it_is_offered_is_not_sent(
    tmp_path: Path, source: Path, target: Path
) -> None:
    with sending(tmp_path, source) as (_, ticket):
        source.write_bytes(b"other")
        done = peerloom(tmp_path, "receive", ticket, "--to", str(target))
    assert done.returncode == 1
    assert done.stderr == (
        "peerloom: the file has changed at the sender since the ticket was made; "
        "ask for a new ticket\n"
    )
    assert list(target.iterdir()) == []


def test_file_that_another_process_fetches_into_the_folder_is_left_to_it(
    tmp_path: Path, source: Path, target: Path
) -> None:
    with sending(tmp_path, source) as (_, text):
        ticket = Ticket.from_string(text)
        part = PartFile(target, ticket.name, ticket.content_hash, ticket.size)
        done = peerloom(tmp_path, "receive", text, "--to", str(target))
        part.close()
    assert done.returncode == 1
    assert "another process is fetching this file" in done.stderr


def test_sender_beside_a_running_node_takes_an_identity_of_its_own(
    tmp_path: Path, source: Path, target: Path
) -> None:
    with running(tmp_path, "run", "--listen", LOOPBACK) as node:
        peer = node.line_with("peer id").split()[-1]
        with sending(tmp_path, source) as (sender, ticket):
            assert "has the data folder" in sender.line_with("lasts until it ends")
            assert str(Ticket.from_string(ticket).peer) != peer
            assert peerloom(tmp_path, "receive", ticket, "--to", str(target)).returncode == 0
            assert sender.end() == 0
        assert node.end(signal.SIGTERM) == 0


@pytest.mark.parametrize(
    ("ticket", "complaint"),
    [
        ("nonsense", "this is not a ticket"),
        ("peerloom1aaaa", "cut short"),
    ],
)
def test_bad_ticket_is_one_line_and_a_status(tmp_path: Path, ticket: str, complaint: str) -> None:
    done = peerloom(tmp_path, "receive", ticket)
    assert done.returncode == 1
    assert done.stdout == ""
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1


def test_sender_that_is_gone_is_one_line_and_a_status(
    tmp_path: Path, source: Path, target: Path
) -> None:
    with sending(tmp_path, source) as (sender, ticket):
        sender.end(signal.SIGTERM)
    done = peerloom(tmp_path, "receive", ticket, "--to", str(target))
    assert done.returncode == 1
    assert done.stderr.startswith("peerloom: cannot connect to 12D3Koo")
    assert done.stderr.count("\n") == 1
    assert list(target.iterdir()) == []


def test_missing_folder_is_one_line_and_a_status(tmp_path: Path, source: Path) -> None:
    with sending(tmp_path, source) as (_, ticket):
        done = peerloom(tmp_path, "receive", ticket, "--to", str(tmp_path / "nowhere"))
    assert done.returncode == 1
    assert done.stderr.startswith("peerloom: there is no folder")
    assert done.stderr.count("\n") == 1


def test_missing_file_is_one_line_and_a_status(tmp_path: Path) -> None:
    done = peerloom(tmp_path, "send", str(tmp_path / "missing"))
    assert done.returncode == 1
    assert done.stderr == f"peerloom: cannot offer {tmp_path / 'missing'}: there is no such file\n"
