"""Which encoding a text file is in, judged by all of it."""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Iterator
from itertools import combinations_with_replacement
from pathlib import Path

import charset_normalizer

from backupsvc.errors import Refusal
from recipients.imports.dialect import ENCODINGS
from recipients.imports.lines import MARK_ERRORS, UNDECODABLE

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_BINARY_STARTS = (
    b"%PDF-", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!", b"SQLite format 3",
    b"\x7fELF", b"BM6", b"PAR1", b"\xfd7zXZ", b"BZh",
)  # fmt: skip
_HEAD_BYTES = 1 << 16
_BLOCK_BYTES = 1 << 20
_ASCII = bytes(range(128))
# Controls that text files do not have (they do have tab, line ends, form feed, escape, unit separators).
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1a\x1b\x1c\x1d\x1e\x1f"))

# Letters beyond ASCII of the languages each encoding is used for. Names from two of them may share a list.
_WESTERN = (
    "äöüßéà", "éèêëàâçùûîïôœæÿ", "áéíóúñü", "àèéìíòóùú", "áâãàçéêíóôõú", "éëïöüáóèê", "æøåéöä", "åäöé",
    "áðéíóúýþæö",
)  # fmt: skip
_CENTRAL = (
    "ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "čćđšž", "ăâîșşțţ", "äöüßé",
)  # fmt: skip
_TURKISH = ("çğıöşüİâîû", "äöüßé")
_TYPOGRAPHY = frozenset("–—‘’“”„‚…€§°´`©®™«»¡¿·•†‡‹›\xa0\xad")


def detect(path: Path) -> tuple[str, bool]:
    """The encoding of a file, and whether it is a guess. Raises Refusal("file.empty") or ("file.binary")."""
    with path.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
    if not head:
        raise Refusal("file.empty")
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return encoding, False
    if wide := _wide_encoding(head):
        return wide, True
    controls = len(head) - len(head.translate(None, _CONTROLS))
    if head.startswith(_BINARY_STARTS) or controls > len(head) / 50 + 8:
        raise Refusal("file.binary")
    sound, damaged = _count_utf8(path)
    if not damaged:
        return "utf-8", False
    # Text in another encoding hardly ever makes a sound sequence: this is UTF-8 with damaged places.
    if sound * 2 >= damaged:
        return "utf-8", True
    return _single_byte(path), True


def _wide_encoding(head: bytes) -> str | None:
    """UTF-16 without its mark: every other byte of mostly Latin text is zero."""
    pairs = max(len(head) // 2, 1)
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd > pairs * 0.4 and even < pairs * 0.05:
        return "utf-16-le"
    if even > pairs * 0.4 and odd < pairs * 0.05:
        return "utf-16-be"
    return None


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            yield block


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


def _single_byte(path: Path) -> str:
    """The likeliest encoding of one byte a character: the one in which most letters belong together."""
    counts: Counter[int] = Counter()
    for block in _blocks(path):
        counts.update(block.translate(None, _ASCII))
    western = _coverage(counts, encoding="cp1252", alphabets=_WESTERN)
    others = {
        "cp1250": _coverage(counts, encoding="cp1250", alphabets=_CENTRAL),
        "cp1254": _coverage(counts, encoding="cp1254", alphabets=_TURKISH),
    }
    best = max(others, key=lambda name: others[name])
    # The encodings share most letters; leave the commonest one only for a clear gain.
    if others[best] > western + 0.1:
        return best
    if western < 0.5:
        return _hint(path) or ("utf-8" if counts.total() < 10 else "cp1252")
    has_c1 = any(0x80 <= byte < 0xA0 for byte in counts)
    # 0xA4 is the euro sign here and in cp1252 a sign nobody uses.
    return "iso-8859-15" if counts[0xA4] and not has_c1 else "cp1252"


def _coverage(counts: Counter[int], *, encoding: str, alphabets: tuple[str, ...]) -> float:
    """The share of the letters beyond ASCII that the best language of an encoding explains, or the best
    two: less, because two of them explain much by chance."""
    letters: Counter[str] = Counter()
    for byte, count in counts.items():
        letter = bytes([byte]).decode(encoding, "replace")
        if letter not in _TYPOGRAPHY:
            letters[letter] += count
    if not letters:
        return 1.0
    sets = [frozenset(alphabet + alphabet.upper().replace("SS", "ß")) for alphabet in alphabets]
    return max(
        sum(count for letter, count in letters.items() if letter in one or letter in two) / letters.total()
        - (0.0 if one is two else 0.15)
        for one, two in combinations_with_replacement(sets, 2)
    )


def _hint(path: Path) -> str | None:
    """What charset-normalizer thinks of the lines that are not ASCII, if that is an encoding we offer.

    Asked last: of the encodings above it takes one for the other.
    """
    with path.open("rb") as stream:
        lines = [line for line in stream.read(_BLOCK_BYTES).split(b"\n") if not line.isascii()]
    match = charset_normalizer.from_bytes(b"\n".join(lines)[:_HEAD_BYTES]).best() if len(lines) > 2 else None
    name = codecs.lookup(match.encoding).name if match else ""
    return next((encoding for encoding in ENCODINGS if codecs.lookup(encoding).name == name), None)
