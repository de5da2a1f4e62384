"""Which encoding a text file is in, judged by all of it."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from backupsvc.errors import Refusal
from recipients.imports.letters import Place, likeliest, makes_words
from recipients.imports.lines import MARK_ERRORS, UNDECODABLE

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_BINARY_STARTS = (
    b"%PDF-", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"SQLite format 3", b"\x7fELF", b"BM6", b"PAR1",
)  # fmt: skip
_ARCHIVE_STARTS = (b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!", b"\xfd7zXZ", b"BZh")
_HEAD_BYTES = 1 << 16
_BLOCK_BYTES = 1 << 20
# What is only decoded, to see whether it can be, stays in a processor's cache: half the time.
_DECODED_BYTES = 1 << 15
# Controls that text files do not have (they do have tab, line ends, form feed, escape, unit separators).
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1a\x1b\x1c\x1d\x1e\x1f"))
_ODD = re.compile(rb"[\x80-\xff]")
# Places to judge an encoding by, and bytes around each.
_MOST_PLACES, _AROUND = 400, 60
# So few lines prove no encoding.
_FEW = 3


@dataclass(frozen=True)
class Charset:
    """The encoding of a file. `certainty` is from 0 to 1: 1 where the file itself proves it.

    `lines` are the numbers of the lines with characters beyond ASCII where those are so few that they
    prove nothing: a person should look at them.
    """

    encoding: str
    certainty: float = 1.0
    lines: tuple[int, ...] = ()


def detect(path: Path) -> Charset:
    """The encoding of a file. Raises Refusal("file.empty"), ("file.archive") or ("file.binary")."""
    with path.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
    if not head:
        raise Refusal("file.empty")
    if head.startswith(_ARCHIVE_STARTS):
        raise Refusal("file.archive")
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return Charset(encoding)
    if wide := _wide_encoding(head):
        return Charset(wide, 0.9)
    controls = len(head) - len(head.translate(None, _CONTROLS))
    if head.startswith(_BINARY_STARTS) or controls > len(head) / 50 + 8:
        raise Refusal("file.binary")
    if _is_utf8(path):
        return Charset("utf-8")
    sound, damaged = _count_utf8(path)
    # Text in another encoding hardly ever makes a sound sequence: this is UTF-8 with damaged places.
    if sound * 2 >= damaged:
        return Charset("utf-8", 0.9)
    return guessed(odd_places(path), head=head)


def _wide_encoding(head: bytes) -> str | None:
    """UTF-16 without its mark: every other byte of mostly Latin text is zero."""
    pairs = max(len(head) // 2, 1)
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd > pairs * 0.4 and even < pairs * 0.05:
        return "utf-16-le"
    if even > pairs * 0.4 and odd < pairs * 0.05:
        return "utf-16-be"
    return None


def _blocks(path: Path, *, size: int = _BLOCK_BYTES) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while block := stream.read(size):
            yield block


def _is_utf8(path: Path) -> bool:
    """Whether nothing else is in it: in a third of the time that counting takes."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for block in _blocks(path, size=_DECODED_BYTES):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _count_utf8(path: Path) -> tuple[int, int]:
    """How many characters beyond ASCII the file has as UTF-8, and how many bytes that are none."""
    decoder = codecs.getincrementaldecoder("utf-8")(MARK_ERRORS)
    sound = damaged = 0
    for block in _blocks(path):
        text = decoder.decode(block)
        if not text.isascii():
            bad = len(UNDECODABLE.findall(text))
            damaged += bad
            sound += len(text) - len(text.encode("ascii", "ignore")) - bad
    return sound, damaged + bool(decoder.getstate()[0])


def odd_places(path: Path) -> list[Place]:
    """The first bytes beyond ASCII of the file's lines, with what stands around them."""
    places: list[Place] = []
    line = 1
    for block in _blocks(path):
        end_of_line = b"\n" if b"\n" in block else b"\r"
        position = 0
        while found := _ODD.search(block, position):
            start = found.start()
            line += block.count(end_of_line, position, start)
            left = max(block.rfind(end_of_line, 0, start) + 1, start - _AROUND)
            stop = block.find(end_of_line, start)
            right = min(stop if stop >= 0 else len(block), start + _AROUND)
            places.append(Place(line, block[left:right]))
            if len(places) == _MOST_PLACES:
                return places
            position = right
        line += block.count(end_of_line, position)
    return places


def guessed(places: list[Place], *, head: bytes) -> Charset:
    """The likeliest encoding, of one byte a character unless only another explains the file's `head`.

    A few odd bytes in a file that is ASCII otherwise are letters if they look like some in a word, and
    damage if they do not: then the file is UTF-8 and their rows are reported.
    """
    texts = [place.text for place in places]
    lines = sorted({place.line for place in places})
    if len(lines) > _FEW or sum(len(_ODD.findall(text)) for text in texts) > 2 * _FEW:
        encoding, certainty = likeliest(texts, head=head)
        return Charset(encoding or "cp1252", certainty)
    scores = {name: makes_words(texts, encoding=name) for name in ("cp1252", "iso-8859-15")}
    best = max(scores, key=lambda name: scores[name])
    return Charset(best, 0.5, tuple(lines)) if scores[best] >= 0.5 else Charset("utf-8", 0.5)


def doubly_encoded(text: str) -> list[str]:
    """The pieces of a text that are UTF-8 read as cp1252 and encoded again, such as "Ã¼" for "ü"."""
    return [run for run in _RUNS.findall(text) if _is_doubled(run)]


_RUNS = re.compile("[\u0080-\U0010ffff]{2,}")


def _is_doubled(run: str) -> bool:
    for encoding in ("cp1252", "latin-1"):
        try:
            return len(run.encode(encoding).decode("utf-8")) < len(run)
        except UnicodeError:
            continue
    return False
