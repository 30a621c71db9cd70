"""Whatever a sender calls its file, the name is plain and lands inside the folder."""

from __future__ import annotations

import unicodedata
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerloom._transfer._names import MAX_NUMBER, candidate_names, part_name, safe_name

_nasty = st.text(
    st.one_of(st.sampled_from("./\\: \0\n\x1b\u202e~-"), st.characters()), max_size=400
)


@given(_nasty)
def test_safe_name_is_one_plain_visible_component(name: str) -> None:
    safe = safe_name(name)
    assert Path("/folder", safe).parent == Path("/folder")
    assert safe
    assert not safe.startswith(".")
    assert not safe.endswith((".", " "))
    assert not set(safe) & set('/\\:<>"|?*\0\r\n')
    assert not any(unicodedata.category(character).startswith("C") for character in safe)


@given(_nasty)
def test_safe_name_of_a_safe_name_is_itself(name: str) -> None:
    assert safe_name(safe_name(name)) == safe_name(name)


@given(_nasty, st.binary(min_size=32, max_size=32))
def test_every_name_made_of_a_name_fits_a_file_system(name: str, content_hash: bytes) -> None:
    names = [part_name(name, content_hash), *islice(candidate_names(name), 3)]
    assert all(len(one.encode()) <= 255 for one in names)
    assert all(Path("/folder", one).parent == Path("/folder") for one in names)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("holiday.mp4", "holiday.mp4"),
        ("Über Größe (1).tar.gz", "Über Größe (1).tar.gz"),
        ("../../etc/passwd", "passwd"),
        ("/etc/passwd", "passwd"),
        ("C:\\Windows\\win.ini", "win.ini"),
        ("..", "file"),
        (".", "file"),
        ("", "file"),
        ("a/", "file"),
        (".profile", "_profile"),
        ("...x", "_..x"),
        ("a\nb\x1b[31m.txt", "ab[31m.txt"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("com1 .log", "_com1 .log"),
        ("console.txt", "console.txt"),
        ("10:30?.log", "10_30_.log"),
        ("ends with dots. . .", "ends with dots"),
        ("x" * 300 + ".mp4", "x" * 196 + ".mp4"),
        ("ä" * 300, "ä" * 100),
    ],
)
def test_safe_name_of_what_people_and_attackers_use(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_candidate_names_are_numbered_before_the_suffix_and_end() -> None:
    names = list(candidate_names("notes.txt"))
    assert names[:3] == ["notes.txt", "notes (1).txt", "notes (2).txt"]
    assert len(names) == MAX_NUMBER + 1


def test_part_name_tells_the_file_and_its_content() -> None:
    assert part_name("notes.txt", b"\xab" * 32) == ".notes.txt.abababababababab.part"
