"""How a list file is written down: what sniffing found out and a person may correct."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Literal

from backupsvc.errors import Refusal

# Every encoding that can be chosen. A closed list: some of Python's codecs (zip, idna) are for other things.
ENCODINGS = (
    "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be",
    "cp1252", "iso-8859-1", "iso-8859-15", "mac_roman", "cp1250", "iso-8859-2", "cp852", "mac_latin2",
    "cp1251", "koi8-r", "koi8-u", "iso-8859-5", "cp1253", "iso-8859-7", "cp1254", "iso-8859-9", "cp1255",
    "cp1256", "cp1257", "iso-8859-4", "iso-8859-13", "iso-8859-10", "cp1258", "cp437", "cp850",
    "shift_jis", "cp932", "euc_jp", "gb18030", "big5", "euc_kr", "cp949",
)  # fmt: skip


@dataclass(frozen=True)
class Dialect:
    """The way a file is to be read.

    `delimiter` may be longer than one character; "" means one column, a cell a line. `first_line` is
    the physical line (1-based) of the header, or of the first row when there is no header. `columns` is
    the width a row must have; 0 takes the width of the first record. `header_rows` is how many records
    the header takes up. `short_rows` says that this file leaves empty cells at the end of its rows out, so
    that short rows are whole; `long_rows` that it has empty cells too many there. `notes` says that rows
    at the very end with one filled cell are notes below the table. `escape` makes the quote, delimiter,
    line end or escape behind it a plain character.
    """

    kind: Literal["delimited", "spreadsheet"] = "delimited"
    encoding: str = "utf-8"
    delimiter: str = ","
    quote: str = '"'
    escape: str = ""
    header: bool = True
    first_line: int = 1
    sheet: str = ""
    columns: int = 0
    short_rows: bool = False
    long_rows: bool = False
    header_rows: int = 1
    notes: bool = False

    def to_json(self) -> dict[str, object]:
        """The dialect as a plain dict, to be stored."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, object]) -> Dialect:
        """The dialect `to_json` stored. Raises Refusal("dialect.value") when it is none."""
        return corrected(cls(), overrides=stored)


def corrected(dialect: Dialect, *, overrides: Mapping[str, object]) -> Dialect:
    """`dialect` with the given fields replaced. Raises Refusal("dialect.value") naming a bad field."""
    kinds = {field.name: type(getattr(Dialect(), field.name)) for field in fields(Dialect)}
    for name, value in overrides.items():
        if type(value) is not kinds.get(name) or not _is_possible(name, value=value):
            raise Refusal("dialect.value", field=name, value=str(value)[:40])
    return replace(dialect, **overrides)  # type: ignore[arg-type]


def _is_possible(name: str, *, value: object) -> bool:
    match name, value:
        case "kind", _:
            return value in ("delimited", "spreadsheet")
        case "encoding", _:
            return value in ENCODINGS
        case "delimiter", str():
            return len(value) <= 4 and not set(value) & set('\r\n\0"')
        case "quote", _:
            return value in ('"', "'", "")
        case "escape", str():
            return value == "" or (len(value) == 1 and not value.isalnum() and value not in " ,;\t\r\n\"'")
        case "first_line" | "header_rows", int():
            return value >= 1
        case "columns", int():
            return 0 <= value <= MOST_COLUMNS
    return True


# More columns than any list has; a wider file is a mistake or an attack.
MOST_COLUMNS = 512
