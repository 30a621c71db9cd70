"""Parts: locked, checked, appended to, verified, and named without replacing anything."""

from __future__ import annotations

import errno
import hashlib
import os
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerloom._errors import TransferError
from peerloom._transfer import _part
from peerloom._transfer._part import PartFile

CONTENT = b"what is in the file\n" * 1000
HASH = hashlib.sha256(CONTENT).digest()


def _part_in(folder: Path, content: bytes = CONTENT, name: str = "notes.txt") -> PartFile:
    return PartFile(folder, name, hashlib.sha256(content).digest(), len(content))


def _checked(part: PartFile) -> PartFile:
    while part.check_some():
        pass
    return part


def _path_of_part(folder: Path) -> Path:
    return folder / f".notes.txt.{HASH.hex()[:16]}.part"


@given(content=st.binary(max_size=400), cuts=st.lists(st.integers(0, 400), max_size=5))
def test_part_written_over_several_attempts_becomes_the_file(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, cuts: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("folder")
    edges = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    for start, end in pairwise(edges):
        part = _checked(_part_in(folder, content))
        assert part.size == start
        part.append([content[start:end]])
        part.close()
    part = _checked(_part_in(folder, content))
    assert part.is_verified()
    final = part.place()
    part.close()
    assert final.read_bytes() == content
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_part_never_shows_under_the_final_name_before_it_is_placed(tmp_path: Path) -> None:
    part = _part_in(tmp_path)
    part.append([CONTENT])
    assert list(tmp_path.iterdir()) == [_path_of_part(tmp_path)]
    part.place()
    part.close()
    assert list(tmp_path.iterdir()) == [tmp_path / "notes.txt"]


def test_part_takes_a_numbered_name_beside_existing_files(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "notes (1).txt").symlink_to("/nowhere")
    part = _part_in(tmp_path)
    part.append([CONTENT])
    assert part.place() == tmp_path / "notes (2).txt"
    part.close()
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert (tmp_path / "notes (1).txt").is_symlink()


def test_part_says_what_to_do_when_every_name_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_part, "candidate_names", lambda _: iter(["notes.txt"]))
    (tmp_path / "notes.txt").touch()
    part = _part_in(tmp_path)
    part.append([CONTENT])
    with pytest.raises(TransferError, match="move some of those files away"):
        part.place()
    part.close()
    assert _path_of_part(tmp_path).read_bytes() == CONTENT


def test_part_is_placed_without_replacing_where_hard_links_are_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    (tmp_path / "notes.txt").write_text("mine")
    part = _part_in(tmp_path)
    part.append([CONTENT])
    assert part.place() == tmp_path / "notes (1).txt"
    part.close()
    assert (tmp_path / "notes (1).txt").read_bytes() == CONTENT
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("content", [CONTENT[:-1] + b"x", CONTENT[:-1], b""])
def test_part_with_other_content_is_not_verified(tmp_path: Path, content: bytes) -> None:
    part = _part_in(tmp_path)
    part.append([content])
    assert not part.is_verified()
    part.close()


def test_part_longer_than_the_file_begins_anew(tmp_path: Path) -> None:
    _path_of_part(tmp_path).write_bytes(CONTENT + b"x")
    part = _checked(_part_in(tmp_path))
    assert part.size == 0
    part.append([CONTENT])
    assert part.is_verified()
    part.close()


def test_part_is_for_one_process_at_a_time(tmp_path: Path) -> None:
    first = _part_in(tmp_path)
    with pytest.raises(TransferError, match="another process is fetching this file"):
        _part_in(tmp_path)
    first.append([CONTENT])
    first.close()
    second = _checked(_part_in(tmp_path))
    assert second.is_verified()
    second.close()


def test_part_without_content_leaves_nothing_behind(tmp_path: Path) -> None:
    _part_in(tmp_path).close()
    assert list(tmp_path.iterdir()) == []


def test_part_closed_before_it_was_checked_stays(tmp_path: Path) -> None:
    _path_of_part(tmp_path).write_bytes(CONTENT[:10])
    _part_in(tmp_path).close()
    assert _path_of_part(tmp_path).read_bytes() == CONTENT[:10]


def test_part_that_is_dropped_is_gone(tmp_path: Path) -> None:
    part = _part_in(tmp_path)
    part.append([CONTENT])
    part.drop()
    part.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("plant", ["symlink", "fifo", "folder"])
def test_part_never_follows_what_lies_in_its_place(tmp_path: Path, plant: str) -> None:
    outside = tmp_path / "outside"
    outside.write_text("precious")
    folder = tmp_path / "folder"
    folder.mkdir()
    path = _path_of_part(folder)
    if plant == "symlink":
        path.symlink_to(outside)
    elif plant == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises(TransferError, match="not a plain file; remove it"):
        _part_in(folder)
    assert outside.read_text() == "precious"


def test_part_linked_from_elsewhere_is_left_alone_and_begun_anew(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("precious")
    folder = tmp_path / "folder"
    folder.mkdir()
    _path_of_part(folder).hardlink_to(elsewhere)
    part = _checked(_part_in(folder))
    part.append([CONTENT])
    assert part.is_verified()
    part.close()
    assert elsewhere.read_text() == "precious"


def test_part_in_no_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(TransferError, match="there is no folder"):
        _part_in(tmp_path / "missing")


def test_part_with_a_hostile_name_stays_in_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    part = _part_in(folder, name="../../../etc/cron.d/evil\n")
    part.append([CONTENT])
    assert part.place() == folder / "evil"
    part.close()
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
