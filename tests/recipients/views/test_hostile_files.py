"""Files made to harm, handed in on the page: a clean refusal in little memory, and others work on."""

from __future__ import annotations

import io
import resource
import subprocess
import sys
import zipfile
from collections.abc import Callable

import pytest
import xlsxwriter

from backupsvc.accounts.models import Account, User
from recipients.imports.spreadsheet import MEMORY_BYTES
from recipients.models import Change, Recipient
from tests.fixtures.lists import Lists
from tests.fixtures.wizard import Wizard

MIB = 1 << 20
# How much more this process, which serves everybody, may take for a file of a few KiB.
MOST_GROWTH_BYTES = 64 * MIB
SHEET = "xl/worksheets/sheet1.xml"


def workbook() -> dict[str, bytes]:
    """The members of an honest workbook with one sheet."""
    made = io.BytesIO()
    book = xlsxwriter.Workbook(made, {"in_memory": True})
    book.add_worksheet("List").write_column(0, 0, ["email", "anna@example.com"])
    book.close()
    with zipfile.ZipFile(made) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(members: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return made.getvalue()


def with_rows(rows: bytes) -> bytes:
    members = workbook()
    members[SHEET] = members[SHEET].replace(b"</sheetData>", rows + b"</sheetData>")
    return zipped(members)


def sparse_cells() -> bytes:
    return with_rows(b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>')


def zip_bomb() -> bytes:
    members = workbook()
    return zipped(members | {SHEET: members[SHEET] + b" " * (600 * MIB)})


def huge_cell() -> bytes:
    text = b"x" * (300 * MIB)
    return with_rows(b'<row r="3"><c r="A3" t="inlineStr"><is><t>' + text + b"</t></is></c></row>")


def million_columns() -> bytes:
    return with_rows(b'<row r="3">' + b"<c><v>1</v></c>" * 1_000_000 + b"</row>")


def laughs() -> bytes:
    """Entities of entities: a few lines that mean gigabytes."""
    lines = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    head = f'<?xml version="1.0"?><!DOCTYPE s [<!ENTITY l0 "ha">{lines}]>'
    members = workbook()
    members["xl/workbook.xml"] = head.encode() + b"<workbook>&l11;</workbook>"
    return zipped(members)


def path_out() -> bytes:
    return zipped(workbook() | {"../../../tmp/evil.xml": b"x"})


def cut_short() -> bytes:
    return zipped(workbook())[:-150]


def own_directory_in_itself() -> bytes:
    """Thousands of members, as many as a directory can hold."""
    return zipped(workbook() | {f"xl/{number}.xml": b"" for number in range(40_000)})


HARMFUL: list[Callable[[], bytes]] = [
    sparse_cells, zip_bomb, huge_cell, million_columns, laughs, path_out, cut_short, own_directory_in_itself,
]  # fmt: skip


@pytest.mark.once
@pytest.mark.parametrize("make", HARMFUL, ids=lambda make: make.__name__)
def test_a_harmful_spreadsheet_is_refused_on_the_page(wizard: Wizard, make: Callable[[], bytes]) -> None:
    content = make()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    response = wizard.upload(content, file_name="people.xlsx")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    assert response.status_code == 200
    assert b"alert" in response.content or b"invalid-feedback" in response.content
    assert (Change.objects.count(), Recipient.objects.count()) == (0, 0)
    assert grown < MOST_GROWTH_BYTES + len(content)


@pytest.mark.once
def test_the_child_that_reads_never_takes_more_than_it_may(tmp_path: object) -> None:
    # In a process of its own, since the system tells of the largest child alone.
    program = (
        "import resource, sys, pathlib\n"
        "from recipients.imports.spreadsheet import open_sheet\n"
        "from backupsvc.errors import Refusal\n"
        "for name in sys.argv[1:]:\n"
        "    try:\n"
        "        with open_sheet(pathlib.Path(name)) as sheet:\n"
        "            for row in sheet.rows: pass\n"
        "    except Refusal: pass\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
    )
    files = []
    for make in HARMFUL:
        files.append(f"{tmp_path}/{make.__name__}.xlsx")
        with open(files[-1], "wb") as file:  # noqa: PTH123
            file.write(make())
    done = subprocess.run([sys.executable, "-c", program, *files], check=True, capture_output=True)
    assert 0 < int(done.stdout) * 1024 <= MEMORY_BYTES


@pytest.mark.once
def test_others_import_while_a_harmful_file_is_refused(
    wizard: Wizard, other_account: Account, stranger: User
) -> None:
    wizard.upload(sparse_cells(), file_name="people.xlsx")
    group = Lists(account=other_account, owner=stranger).group("email\nanna@example.com\n")
    assert Recipient.objects.filter(group=group).count() == 1
