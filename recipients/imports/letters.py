"""Which encoding of one byte a character makes words of bytes: the letters of a language, where they may
stand."""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import charset_normalizer

from recipients.imports.dialect import ENCODINGS


@dataclass(frozen=True)
class Place:
    """A place in a file with bytes beyond ASCII: the number of its line, and the bytes around."""

    line: int
    text: bytes


# Letters beyond ASCII of the languages each encoding is used for. Names from two of them may share a list.
_WESTERN = (
    "äöüßéà", "éèêëàâçùûîïôœæ", "áéíóúñü", "àèéìíòóùú", "áâãàçéêíóôõú", "éëïöüáóèê", "æøåéöä", "åäöé",
    "áðéíóúýþæö",
)  # fmt: skip
_CENTRAL = (
    "ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "čćđšž", "ăâîșşțţ", "äöüßé",
)  # fmt: skip
_TURKISH = ("çğıöşüİâîû", "äöüßé")
_CYRILLIC = ("абвгдеёжзийклмнопрстуфхцчшщъыьэюя", "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя")
_GREEK = ("αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋ",)
_HEBREW = ("אבגדהוזחטיךכלםמןנסעףפץצקרשת",)
# The commonest first: another must be clearly better, by so much.
_ALPHABETS = {
    "cp1252": (_WESTERN, 0.0), "iso-8859-15": (_WESTERN, 0.02), "cp1250": (_CENTRAL, 0.1),
    "iso-8859-2": (_CENTRAL, 0.12), "cp1254": (_TURKISH, 0.1), "mac_roman": (_WESTERN, 0.15),
    "cp850": (_WESTERN, 0.2), "cp1251": (_CYRILLIC, 0.15), "koi8-r": (_CYRILLIC, 0.15),
    "iso-8859-5": (_CYRILLIC, 0.2), "cp1253": (_GREEK, 0.15), "cp1255": (_HEBREW, 0.1),
}  # fmt: skip
# No encoding of one byte a character is ever proved.
MOST_SURE = 0.95
_TYPOGRAPHY = frozenset("–—‘’“”„‚…€§°´`©®™«»¡¿·•†‡‹›\xa0\xad")
# Stand between two letters of a word, and are no letters.
_WITHIN = frozenset("’´`·\xad–")
# Encodings that differ from one we offer in rare characters only.
_KINDS = {
    "euc_jis_2004": "euc_jp", "euc_jisx0213": "euc_jp", "shift_jis_2004": "cp932", "shift_jisx0213": "cp932",
    "gb2312": "gb18030", "gbk": "gb18030", "big5hkscs": "big5",
}  # fmt: skip
_SCRIPTS = re.compile("[\u0370-\u05ff]")


def likeliest(texts: Sequence[bytes], *, head: bytes) -> tuple[str | None, float]:
    """The encoding that makes the best words of these bytes, and how sure that is, from 0 to 1.

    None when none makes words. `head` are whole lines of the same file, for encodings of several bytes a
    character.
    """
    scores = {name: makes_words(texts, encoding=name) for name in _ALPHABETS}
    best = max(scores, key=lambda name: scores[name] - _ALPHABETS[name][1])
    if scores[best] < (0.85 if _ALPHABETS[best][0] in (_CYRILLIC, _GREEK, _HEBREW) else 0.5):
        hint = _hint(head) if len(texts) > 2 else None
        return hint, 0.3 if hint else 0.0
    same = b"".join(texts).decode(best, "replace")
    rivals = [
        score - _ALPHABETS[name][1]
        for name, score in scores.items()
        if b"".join(texts).decode(name, "replace") != same
    ]
    return best, max(0.0, min(MOST_SURE, scores[best], 0.4 + 2 * (scores[best] - max(rivals, default=0.0))))


def makes_words(texts: Sequence[bytes], *, encoding: str) -> float:
    """The share of the characters beyond ASCII that the best language of an encoding explains, or the best
    two, or all: less, because more of them explain much by chance. One that cannot stand where it does
    counts against it."""
    letters: Counter[str] = Counter()
    wrong = total = 0
    for text in (text.decode(encoding, "replace") for text in texts):
        for place, letter in enumerate(text):
            if letter.isascii():
                continue
            total += 1
            if not _may_stand(text, place=place):
                wrong += 1
            elif letter not in _TYPOGRAPHY:
                letters[letter] += 1
    known = letters.total() + wrong
    if not known:
        return 0.9
    sets = [frozenset(alphabet + alphabet.upper().replace("SS", "ß")) for alphabet in _ALPHABETS[encoding][0]]
    languages = [
        *((one | two, 0.0 if one is two else 0.15) for one, two in combinations_with_replacement(sets, 2)),
        (frozenset().union(*sets), 0.25),
    ]
    return max(
        (sum(count for letter, count in letters.items() if letter in known_letters) - wrong) / known - less
        for known_letters, less in languages
    )


def _may_stand(text: str, *, place: int) -> bool:
    """Whether a character can stand here in a word: no capital behind a small letter, no sign between two
    letters, no Greek, Cyrillic or Hebrew letter in a Latin word, and no more than two letters beyond ASCII
    side by side in one."""
    letter = text[place]
    before, behind = text[place - 1] if place else " ", text[place + 1] if place + 1 < len(text) else " "
    if not letter.isalpha():
        is_inside = before.isalpha() and behind.isalpha()
        return letter in _TYPOGRAPHY and (not is_inside or letter in _WITHIN)
    if letter.isupper() and before.islower():
        return False
    if _SCRIPTS.match(letter):
        return not re.search("[a-zA-Z]", before + behind)
    around = text[max(place - 2, 0) : place + 3]
    return not re.search("[^\\W\\d_a-zA-Z]{3}", around)


def _hint(head: bytes) -> str | None:
    """What charset-normalizer thinks of these bytes, if that is an encoding we offer or a kind of one.

    Asked last: of the encodings above it takes one for the other.
    """
    match = charset_normalizer.from_bytes(head[: head.rfind(b"\n") + 1] or head).best()
    name = codecs.lookup(match.encoding).name if match else ""
    name = _KINDS.get(name, name)
    return next((encoding for encoding in ENCODINGS if codecs.lookup(encoding).name == name), None)
