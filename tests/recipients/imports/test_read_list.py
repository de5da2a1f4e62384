"""The command that shows what the importer reads."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import xlsxwriter

ROOT = Path(__file__).resolve().parents[3]


def read_list(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "read_list", *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    path = tmp_path / "damaged.csv"
    path.write_bytes('email;name\na@x.com;Zoë\nb@x.com;"Bob\nc@x.com;Cid, Jr\n'.encode("cp1252"))
    return path


@pytest.fixture
def binary(tmp_path: Path) -> Path:
    path = tmp_path / "list.pdf"
    path.write_bytes(b"%PDF-1.7")
    return path


def test_good_rows_go_out_and_damaged_ones_are_named(damaged: Path) -> None:
    done = read_list(damaged)
    assert done.returncode == 0
    assert done.stdout == 'email,name\na@x.com,Zoë\nc@x.com,"Cid, Jr"\n'
    assert f"{damaged}:3: row.quote" in done.stderr


def test_several_files_go_into_a_folder_and_unreadable_ones_leave_none(
    damaged: Path, binary: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = read_list(binary, damaged, "--output-dir", out)
    assert done.returncode == 1
    assert "file.binary" in done.stderr
    assert [path.name for path in out.iterdir()] == ["damaged.csv"]
    with (out / "damaged.csv").open(encoding="utf-8", newline="") as stream:
        assert list(csv.reader(stream)) == [["email", "name"], ["a@x.com", "Zoë"], ["c@x.com", "Cid, Jr"]]


def test_a_file_whose_name_is_not_utf_8_is_told_of_as_far_as_it_can_be(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.csv")
    path.write_text("email\na@x.com\n", encoding="utf-8")
    done = read_list(path, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    (report,) = json.loads(done.stdout)
    assert (report["file"], report["rows"]) == (str(tmp_path / "caf?.csv"), 1)


@pytest.mark.parametrize("is_linked", [False, True])
def test_the_original_is_never_written_over(is_linked: bool, damaged: Path, tmp_path: Path) -> None:
    original = damaged.read_bytes()
    other = tmp_path / "other" / "good.csv"
    other.parent.mkdir()
    other.write_text("email\ngerd@x.com\n")
    folder = tmp_path
    if is_linked:
        folder = tmp_path / "link"
        folder.symlink_to(tmp_path, target_is_directory=True)
    done = read_list(damaged, other, "--output-dir", folder)
    assert done.returncode == 1
    assert f"{damaged}: file.output_is_source: " in done.stderr
    assert damaged.read_bytes() == original
    # The others are read.
    assert (tmp_path / "good.csv").read_text() == "email\ngerd@x.com\n"


def test_a_file_that_is_read_later_is_not_written_over_either(tmp_path: Path) -> None:
    texts = {"a": "email\nanna@x.com\n", "b": "email\nbob@x.com\n"}
    files = [tmp_path / name / "list.csv" for name in texts]
    for file, text in zip(files, texts.values(), strict=True):
        file.parent.mkdir()
        file.write_text(text)
    done = read_list(*files, "--output-dir", files[1].parent, "--json")
    assert done.returncode == 1
    assert [report["code"] for report in json.loads(done.stdout)] == ["file.output_is_source"] * 2
    assert [file.read_text() for file in files] == list(texts.values())


def test_of_two_sources_of_one_name_the_second_is_refused(tmp_path: Path) -> None:
    files = [tmp_path / "a" / "list.csv", tmp_path / "b" / "list.csv"]
    for file in files:
        file.parent.mkdir()
        file.write_text(f"email\n{file.parent.name}@x.com\n")
    out = tmp_path / "out"
    done = read_list(*files, "--output-dir", out, "--json")
    assert done.returncode == 1
    first, second = json.loads(done.stdout)
    assert (first["ok"], second["ok"], second["code"]) == (True, False, "file.output_taken")
    assert [path.name for path in out.iterdir()] == ["list.csv"]
    assert (out / "list.csv").read_text() == "email\na@x.com\n"
    # Another run replaces what an earlier one wrote.
    assert read_list(files[1], "--output-dir", out).returncode == 0
    assert (out / "list.csv").read_text() == "email\nb@x.com\n"


def test_json_is_one_document(damaged: Path, binary: Path) -> None:
    done = read_list(damaged, binary, "--json")
    assert done.returncode == 1
    first, second = json.loads(done.stdout)
    assert (first["ok"], first["encoding"], first["delimiter"], first["rows"]) == (True, "cp1252", ";", 2)
    assert [(row["line"], row["code"]) for row in first["rejected"]] == [(3, "row.quote")]
    assert (second["ok"], second["code"]) == (False, "file.binary")


def test_large_files_come_out_of_stdout_whole(tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    path.write_text("email,name\n" + "".join(f"p{n}@x.com,{'n' * 90}\n" for n in range(12_000)))
    assert read_list(path).stdout == path.read_text()


def test_what_is_doubtful_is_said_and_sound_files_are_read_in_silence(damaged: Path, tmp_path: Path) -> None:
    path = tmp_path / "products.csv"
    path.write_text("id;name;price\n1;Boot;3,50\n2;Hat;4,00\n")
    done = read_list(path)
    assert (done.stdout, done.stderr) == ('id,name,price\n1,Boot,"3,50"\n2,Hat,"4,00"\n', "")
    assert f"{damaged}: file.encoding_few: Only line 2" in read_list(damaged).stderr


def test_our_marker_is_left_out_wherever_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "ours.csv"
    path.write_text("email,name,spreadsheet_safe,seen\na@x.com,'=1,,yes\nb@x.com,Bob,,no\n")
    assert read_list(path).stdout == "email,name,seen\na@x.com,=1,yes\nb@x.com,Bob,no\n"


def test_the_sheet_can_be_chosen(tmp_path: Path) -> None:
    path = tmp_path / "list.xlsx"
    with xlsxwriter.Workbook(str(path)) as workbook:
        for name in ("Main", "Old"):
            workbook.add_worksheet(name).write_column(0, 0, ["email", f"{name}@x.com"])
    assert read_list(path).stdout == "email\nMain@x.com\n"
    assert read_list(path, "--sheet", "Old").stdout == "email\nOld@x.com\n"
    unknown = read_list(path, "--sheet", "New")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "file.sheet_unknown" in unknown.stderr


def test_wrong_usage_is_exit_2() -> None:
    assert read_list().returncode == 2
