"""The mistakes people make when they write an address: those that can be mended without a doubt, and
those where only a suggestion can be made.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from backupsvc.errors import Refusal

_QUOTES = "\"'`´“”„‟‘’‚«»‹›"
_IN_BRACKETS = re.compile(r"([^<>]*)<([^<>]*)>")
# Ann Smith (ann@example.com), ann@example.com (Ann Smith)
_IN_PARENTHESES = re.compile(r"([^()]*)\(([^()]*)\)")
_LABEL = re.compile(r"(?:mailto|smtp|e-?mail)\s?:\s?(?://)?", re.IGNORECASE)
_WIDE_AT = str.maketrans("＠﹫", "@@")

_WRITTEN_AT = re.compile(
    r"\s*[(\[{<]\s*(?:at|@|ät|chiocciola|arobase|arroba)\s*[)\]}>]\s*|\s+at\s+", re.IGNORECASE
)
_WRITTEN_DOT = re.compile(r"\s*[(\[{<]\s*(?:dot|punkt|punto|point|\.)\s*[)\]}>]\s*|\s+dot\s+", re.IGNORECASE)


def unwrapped(text: str) -> str:
    """The address out of what surely belongs to none: blanks, a name, brackets, quotes, mailto:, and a
    point, comma or semicolon at an end; and out of an apostrophe before it.

    Raises Refusal("address.several") when what looks like its name is another address.
    """
    email = _bare(text)
    if (match := _IN_BRACKETS.fullmatch(email)) or (match := _IN_PARENTHESES.fullmatch(email)):
        name, inner = _bare(match[1]), _bare(match[2])
        if "@" not in inner and "@" in name and match.re is _IN_PARENTHESES:
            name, inner = inner, name
        if "@" in name and name.lower() != inner.lower():
            raise Refusal("address.several")
        email = inner
    if email.startswith("'") and "'@" not in email:
        # How spreadsheets mark a text. A name may begin so, but nobody's does.
        email = email.lstrip("'")
    return "@".join(part.strip(" \t\u00a0") for part in email.translate(_WIDE_AT).split("@"))


def _bare(text: str) -> str:
    """Without blanks, separators and quotes around it, and without mailto: before it."""
    email = text.strip().strip(",;").rstrip(" .,;").lstrip()
    if len(email) > 1 and email[0] in _QUOTES and email[-1] in _QUOTES:
        email = email[1:-1].strip()
    if label := _LABEL.match(email):
        email = email[label.end() :].split("?")[0].strip()
    return email


def candidates(email: str) -> Iterator[str]:
    """What may be meant by a text that is no address, the likeliest first. Each has yet to be judged."""
    if "@" not in email:
        yield _WRITTEN_DOT.sub(".", _WRITTEN_AT.sub("@", email, count=1))
        yield email.replace("%40", "@")
        return
    local, _, domain = email.rpartition("@")
    domain = _WRITTEN_DOT.sub(".", domain)
    tidy = re.sub(r"\.{2,}", ".", re.sub(r"\s*[.,]\s*", ".", domain))
    for name in (local.rstrip("@"), re.sub(r"\.{2,}", ".", local).strip(".@")):
        yield f"{name}@{tidy}"
        yield f"{name}@{tidy.strip('.-')}"


# Domains with a slip of the finger

_PROVIDERS = (
    "gmail.com", "googlemail.com", "hotmail.com", "hotmail.de", "hotmail.it", "hotmail.fr", "hotmail.es",
    "hotmail.nl", "yahoo.com", "yahoo.de", "yahoo.it", "yahoo.fr", "yahoo.es", "outlook.com", "outlook.de",
    "outlook.it", "icloud.com", "t-online.de", "freenet.de", "libero.it", "virgilio.it", "tiscali.it",
    "wanadoo.fr", "laposte.net", "ziggo.nl",
)  # fmt: skip
_ENDINGS = {
    "com": ("con", "cmo", "ocm", "vom", "comm", "cpm", "xom", "om", "clm"),
    "de": ("ed", "dee", "dw", "se"),
    "it": ("ti", "itt", "ir"),
    "fr": ("rf", "frr"),
    "net": ("nte", "ent", "nett"),
}
# One letter away, and somebody's own.
_REAL = frozenset(("mail.com", "gail.com", "email.com", "yaho.com", "outlook.se", "hotmail.se", "yahoo.se"))


def _slips() -> dict[str, str]:
    found: dict[str, str] = {}
    for domain in _PROVIDERS:
        name, _, ending = domain.rpartition(".")
        for at in range(len(name)):
            for wrong in (
                name[:at] + name[at + 1 :],
                name[: at + 1] + name[at:],
                name[:at] + name[at + 1 : at + 2] + name[at] + name[at + 2 :],
            ):
                found.setdefault(f"{wrong}.{ending}", domain)
        for wrong in _ENDINGS.get(ending, ()):
            found.setdefault(f"{name}.{wrong}", domain)
    return {wrong: right for wrong, right in found.items() if wrong not in {*_REAL, *_PROVIDERS}}


# Wrong → likely meant. Good addresses all the same: they are imported as they are, and pointed out.
SLIPS = _slips()
