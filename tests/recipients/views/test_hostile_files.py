"""Files made to harm, handed in on the page: a clean refusal in little memory, and others work on."""

from __future__ import annotations

import gzip
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
from tests.fixtures.old_workbook import compound_file, old_workbook
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


def shared_text() -> bytes:
    """One text of a mebibyte in hundreds of cells of a row."""
    members = workbook()
    strings = members["xl/sharedStrings.xml"].replace(b"email", b"x" * MIB)
    cells = b"".join(b'<c r="%c%c3" t="s"><v>0</v></c>' % (65 + n // 26, 65 + n % 26) for n in range(300))
    sheet = members[SHEET].replace(b"</sheetData>", b'<row r="3">' + cells + b"</row></sheetData>")
    return zipped(members | {"xl/sharedStrings.xml": strings, SHEET: sheet})


def open_document(rows: bytes, *, head: bytes = b"") -> bytes:
    kind = b"application/vnd.oasis.opendocument.spreadsheet"
    manifest = (
        b'<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
        b'<manifest:file-entry manifest:full-path="/" manifest:media-type="%s"/></manifest:manifest>' % kind
    )
    spaces = b" ".join(
        b'xmlns:%s="urn:oasis:names:tc:opendocument:xmlns:%s:1.0"' % (name, name)
        for name in (b"office", b"table", b"text")
    )
    content = (
        b'<?xml version="1.0"?>' + head + b"<office:document-content " + spaces + b"><office:body>"
        b'<office:spreadsheet><table:table table:name="List">' + rows + b"</table:table>"
        b"</office:spreadsheet></office:body></office:document-content>"
    )
    return zipped({"mimetype": kind, "META-INF/manifest.xml": manifest, "content.xml": content})


def open_cell(text: bytes) -> bytes:
    return b'<table:table-row><table:table-cell office:value-type="string"><text:p>%s</text:p>' % text + (
        b"</table:table-cell></table:table-row>"
    )


def open_zip_bomb() -> bytes:
    return open_document(open_cell(b"email") + open_cell(b"x" * (600 * MIB)))


def open_laughs() -> bytes:
    lines = b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 12))
    head = b'<!DOCTYPE s [<!ENTITY l0 "ha">' + lines + b"]>"
    # A number with a zero in front has the texts looked at.
    return open_document(open_cell(b"01") + open_cell(b"&l11;"), head=head)


def open_universe() -> bytes:
    far = b'<table:table-row table:number-rows-repeated="1048576">'
    cell = b'<table:table-cell table:number-columns-repeated="16384" office:value-type="string">'
    return open_document(far + cell + b"<text:p>x</text:p></table:table-cell></table:table-row>")


HARMFUL: list[Callable[[], bytes]] = [
    sparse_cells, zip_bomb, huge_cell, million_columns, laughs, path_out, cut_short, own_directory_in_itself,
    shared_text, open_zip_bomb, open_laughs, open_universe,
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


def with_password() -> bytes:
    return compound_file("EncryptedPackage", b"\x07" * 20_000)


def open_with_password() -> bytes:
    kind = b"application/vnd.oasis.opendocument.spreadsheet"
    manifest = (
        b'<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
        b'<manifest:file-entry manifest:full-path="/" manifest:media-type="%s"/>'
        b'<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml">'
        b'<manifest:encryption-data manifest:checksum="x"/></manifest:file-entry></manifest:manifest>' % kind
    )
    return zipped({"mimetype": kind, "META-INF/manifest.xml": manifest, "content.xml": bytes(range(256)) * 9})


OTHERS: list[tuple[str, bytes, str]] = [
    ("locked.xlsx", with_password(), "protected with a password"),
    ("locked.ods", open_with_password(), "protected with a password"),
    ("list.zip", zipped({"list.csv": b"email\nanna@example.com\n"}), "This is an archive"),
    ("letter.docx", zipped({"word/document.xml": b"<w:document/>"}), "not a text file or spreadsheet"),
    ("list.csv.gz", gzip.compress(b"email\nanna@example.com\n", mtime=0), "This is an archive"),
    ("list.pdf", b"%PDF-1.7\n1 0 obj\n", "not a text file or spreadsheet"),
    ("list.jpg", b"\xff\xd8\xff\xe0\x00\x10JFIF", "not a text file or spreadsheet"),
    ("orders.xls", b"<table><tr><td>anna@example.com</td></tr></table>", "save it as XLSX or CSV"),
    ("orders.xls", b"<meta charset=utf-8><table><tr><td>a@example.com</td></tr></table>", "as XLSX or CSV"),
    ("orders.xls", b"MIME-Version: 1.0\r\nContent-Type: multipart/related\r\n", "as XLSX or CSV"),
    ("empty.csv", b"", "empty"),
    ("bom.csv", b"\xef\xbb\xbf", "The file is empty"),
    ("bom.csv", b"\xff\xfe", "The file is empty"),
    ("blank.csv", b"\r\n \r\n\t\r\n" * 1000, "The file is empty"),
]


@pytest.mark.once
@pytest.mark.parametrize(
    ("name", "content", "reason"), OTHERS, ids=[f"{at}-{name}" for at, (name, *_) in enumerate(OTHERS)]
)
def test_a_file_that_is_no_list_is_refused_with_what_to_do(
    wizard: Wizard, name: str, content: bytes, reason: str
) -> None:
    response = wizard.upload(content, file_name=name)
    assert response.status_code == 200
    assert reason in response.content.decode()
    assert (Change.objects.count(), Recipient.objects.count()) == (0, 0)


@pytest.mark.once
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("people.xlsx", b"email;name\nanna@example.com;Anna\n"),
        ("people.csv", zipped(workbook())),
        ("people.txt", old_workbook([["email"], ["anna@example.com"]])),
    ],
    ids=["text", "workbook", "old workbook"],
)
def test_a_list_is_read_whatever_its_file_is_called(wizard: Wizard, name: str, content: bytes) -> None:
    change = wizard.whole_way(content, upload={"file_name": name})
    assert (change.rows, change.added) == (1, 1)
    assert Recipient.objects.get().email == "anna@example.com"


@pytest.mark.once
def test_a_header_alone_adds_nobody(wizard: Wizard) -> None:
    change = wizard.preview(wizard.begin("email,name\n"))
    assert (change.rows, Recipient.objects.count()) == (0, 0)


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
