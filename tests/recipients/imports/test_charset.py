"""Which encoding a file is read in, how sure that is, and what is said when it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from recipients.imports.reader import read
from recipients.imports.sniff import Sniffed, sniff

GERMAN_AND_FRENCH = ["Hélène", "François", "Müller", "Großmann", "Jürgen", "Élodie", "Ångström", "Núñez"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "list.csv"


def look(path: Path, names: list[bytes]) -> Sniffed:
    path.write_bytes(b"email,name\n" + b"".join(b"p%d@x.com,%s\n" % row for row in enumerate(names)))
    return sniff(path)


def names_read(path: Path, found: Sniffed) -> list[str]:
    return [row.cells[1] for row in read(path, dialect=found.dialect) if not row.problem]


def codes(path: Path, found: Sniffed) -> dict[int, str]:
    return {row.line: row.problem.code for row in read(path, dialect=found.dialect) if row.problem}


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("utf-8", GERMAN_AND_FRENCH),
        ("cp1252", GERMAN_AND_FRENCH),
        ("iso-8859-1", GERMAN_AND_FRENCH),
        ("iso-8859-15", ["Cœur", "Hélène", "Œuvre", "Sœur Anne"]),
        ("mac_roman", GERMAN_AND_FRENCH),
        ("cp850", GERMAN_AND_FRENCH),
        ("iso-8859-2", ["Paweł Łoś", "Wałęsa", "Święcicki", "Dvořák"]),
        ("cp1251", ["Иван Петров", "Ольга", "Сергей Смирнов", "Анна"]),
        ("koi8-r", ["Иван Петров", "Ольга", "Сергей Смирнов", "Анна"]),
        ("cp1253", ["Γιώργος", "Ελένη", "Νίκος", "Παπαδοπούλου"]),
        ("gb18030", ["王小明", "李华", "张伟", "陈静"]),
        ("big5", ["王小明", "陳美麗 台北市", "張偉", "林志玲"]),
        ("cp932", ["山田太郎", "鈴木花子", "佐藤一郎 東京都", "高橋"]),
        ("euc_jp", ["山田太郎", "鈴木花子", "佐藤一郎 東京都", "高橋"]),
        ("cp949", ["김민수", "이영희 서울시", "박철수", "최지우"]),
        ("cp1255", ["משה כהן", "שרה לוי", "דוד מזרחי", "רחל פרץ"]),
    ],
)
def test_names_come_out_as_they_were_written(path: Path, encoding: str, names: list[str]) -> None:
    found = look(path, [name.encode(encoding) for name in names])
    assert names_read(path, found) == names
    assert (found.encoding_certainty == 1) is (encoding == "utf-8")
    assert ("file.encoding_guessed" in dict(found.warnings)) is (encoding != "utf-8")


def test_the_one_line_that_an_encoding_rests_on_is_named(path: Path) -> None:
    found = look(path, [*[b"Bob"] * 40, b"Andr\xe9", *[b"Ann"] * 40])
    assert names_read(path, found)[40] == "André"
    assert found.encoding_certainty <= 0.5
    assert ("file.encoding_few", {"encoding": "cp1252", "lines": "42"}) in found.warnings


@pytest.mark.parametrize("byte", [b"\xff", b"\x81", b"\xc3", b"\xa9", b"\x80"])
def test_a_byte_that_makes_no_word_costs_its_row_and_is_not_read_as_a_letter(path: Path, byte: bytes) -> None:
    found = look(path, [b"Bob", b"Jos%sph" % byte, b"Ann"])
    assert codes(path, found) == {3: "row.undecodable"}
    assert names_read(path, found) == ["Bob", "Ann"]


@pytest.mark.parametrize("byte", [b"\xff", b"\xe9", b"\xc3"])
def test_a_broken_byte_in_utf_8_does_not_change_the_encoding_of_the_others(path: Path, byte: bytes) -> None:
    found = look(path, ["Zoë".encode(), b"Andr%s" % byte, "Łukasz".encode()])
    assert names_read(path, found) == ["Zoë", "Łukasz"]
    assert codes(path, found) == {3: "row.undecodable"}


def test_text_that_was_encoded_twice_is_pointed_out(path: Path) -> None:
    found = look(path, [b"Bob", "Müller".encode().decode("cp1252").encode(), "Zoë".encode()])
    assert ("file.doubly_encoded", {"count": 1, "example": "Ã¼"}) in found.warnings
    assert not look(path, ["Müller".encode(), "Éric Ñandú".encode()]).warnings


def test_characters_that_were_lost_before_are_counted(path: Path) -> None:
    found = look(path, ["M\ufffdller".encode(), b"Bob"])
    assert ("file.characters_lost", {"count": 1}) in found.warnings


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_the_line_named_is_the_one_an_editor_shows(path: Path, end: bytes) -> None:
    path.write_bytes(end.join([b"email,name", b"a@x.com,Ann", b"b@x.com,Andr\xe9", b"c@x.com,Cid", b""]))
    assert ("file.encoding_few", {"encoding": "cp1252", "lines": "3"}) in sniff(path).warnings
