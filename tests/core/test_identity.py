"""The identity file."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from peerloom._errors import IdentityError
from peerloom._identity import create_identity, load_identity, load_or_create_identity
from peerloom._libp2p import KEY_TYPES, KeyPair, KeyType


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "peerloom" / "identity.key"


def test_the_first_start_makes_an_ed25519_identity_that_later_starts_find(path: Path) -> None:
    first = load_or_create_identity(path)
    assert first.public_key.key_type == "ed25519"
    assert load_or_create_identity(path).peer_id == first.peer_id
    assert load_identity(path).peer_id == first.peer_id


def test_the_file_holds_the_form_that_other_implementations_read(path: Path) -> None:
    key_pair = load_or_create_identity(path)
    blob = path.read_bytes()
    assert blob[:4].hex() == "08011240"
    assert len(blob) == 68
    assert blob[36:] == key_pair.public_key.to_protobuf()[4:]


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_an_identity_of_each_key_type_can_be_made(path: Path, key_type: KeyType) -> None:
    made = create_identity(path, key_type)
    assert made.public_key.key_type == key_type
    assert load_identity(path).peer_id == made.peer_id


def test_only_the_owner_can_read_the_file_and_nothing_else_is_left(path: Path) -> None:
    old = os.umask(0)
    try:
        create_identity(path)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_an_existing_file_is_never_replaced(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("precious")
    with pytest.raises(IdentityError, match="exists already"):
        create_identity(path)
    assert path.read_text() == "precious"
    assert list(path.parent.iterdir()) == [path]


def test_an_existing_file_is_never_replaced_where_hard_links_are_unknown(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    made = create_identity(path)
    assert load_identity(path).peer_id == made.peer_id
    with pytest.raises(IdentityError, match="exists already"):
        create_identity(path)
    assert list(path.parent.iterdir()) == [path]


def test_two_first_starts_at_once_agree_on_one_identity(path: Path) -> None:
    barrier = threading.Barrier(4)
    found: list[str] = []

    def start() -> None:
        barrier.wait(5)
        found.append(str(load_or_create_identity(path).peer_id))

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(found) == 4
    assert len(set(found)) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666, 0o610])
def test_a_file_open_to_others_is_refused_with_the_command_that_repairs_it(
    path: Path, mode: int
) -> None:
    create_identity(path)
    path.chmod(mode)
    with pytest.raises(IdentityError, match=f"run `chmod 600 {path}`"):
        load_or_create_identity(path)


@pytest.mark.parametrize("content", [b"", b"garbage", bytes(100_000), b"-----BEGIN PRIVATE KEY"])
def test_a_damaged_file_is_named_with_what_to_do(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.touch(0o600)
    path.write_bytes(content)
    with pytest.raises(IdentityError, match=r"identity\.key is damaged.*move it away"):
        load_or_create_identity(path)
    assert path.read_bytes() == content


def test_a_public_key_is_no_identity(path: Path) -> None:
    path.parent.mkdir()
    path.touch(0o600)
    path.write_bytes(KeyPair.generate("secp256k1").public_key.to_protobuf())
    with pytest.raises(IdentityError, match="is damaged"):
        load_identity(path)


def test_a_missing_file_says_what_makes_one(path: Path) -> None:
    with pytest.raises(IdentityError, match="peerloom init"):
        load_identity(path)


def test_folders_and_pipes_are_no_identity_files(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(IdentityError, match="no regular file"):
        load_or_create_identity(path)
    pipe = path / "pipe"
    os.mkfifo(pipe, 0o600)
    with pytest.raises(IdentityError, match="no regular file"):
        load_or_create_identity(pipe)


def test_a_folder_that_cannot_be_made_is_an_identity_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(IdentityError, match="cannot make the folder"):
        create_identity(tmp_path / "file" / "identity.key")
