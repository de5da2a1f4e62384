"""Email addresses: what is one, and which two are the same.

An address has a key, by which it is found and compared, and the text a person typed, which is shown and
written to. The key's domain is its ASCII form in lower case; of the local part only A-Z are lowered,
because any wider folding (casefold turns the Kelvin sign into k) makes one person out of two.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import email_validator

from backupsvc.errors import Refusal
from recipients.mistakes import candidates, unwrapped

LONGEST_ADDRESS = 254
LONGEST_LOCAL_PART = 64
# No address is in a longer cell, whatever is wrapped around it.
LONGEST_CELL = 2_000

# Mailboxes of machines and of whoever handles complaints: nobody subscribed with one. Not info@ or
# sales@, which are how small firms do subscribe. What stands behind a + does not count.
ROLES = frozenset((
    "abuse", "postmaster", "hostmaster", "noreply", "no-reply", "no_reply", "no.reply", "donotreply",
    "do-not-reply", "do_not_reply", "do.not.reply", "dontreply", "noreplay", "mailer-daemon", "mailerdaemon",
    "maildaemon", "mail-daemon", "bounce", "bounces", "spam", "phishing", "root", "nobody", "devnull",
    "dev-null", "null", "undisclosed-recipients", "uucp", "usenet", "keineantwort", "keine-antwort",
    "nichtantworten", "nicht-antworten", "nonrispondere", "non-rispondere", "nepasrepondre",
    "ne-pas-repondre", "noresponder", "no-responder", "no-contestar", "nietantwoorden", "niet-antwoorden",
))  # fmt: skip

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
# An apostrophe at the start needs a closer look.
_PLAIN = re.compile(rf"(?!'){_ATOM}(?:\.{_ATOM})*@([A-Za-z0-9.-]+)")
_LABEL = r"(?!..--)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_PLAIN_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+(?!\d+\Z)(?=..){_LABEL}")
_ASCII_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
# What stands between two addresses in one cell.
_BETWEEN = re.compile(r"[\s,;/|]")
# What such marks part, the strongest first. A name in quotation marks may hold them.
_PARTS = [re.compile(rf'(?:"[^"]*"|[^{mark}])+') for mark in (";", ",", r"\s")]
# In a file such a name would begin a cell in quotation marks that has no end.
_QUOTED_NAME = re.compile(r'"([^"]*)"(?=\s*<)')
# Control, format (bidi marks, zero width), surrogate, private use and unassigned characters; line and
# paragraph separators.
_HIDDEN_CATEGORIES = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
# Invisible although Unicode counts them as letters, marks or symbols: joiners, fillers, variation selectors.
_HIDDEN = frozenset(
    (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180F, 0x2800, 0x3164, 0xFFA0,
     *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
)  # fmt: skip
# Scripts whose letters look alike: no name is written in two of them.
_LOOK_ALIKE_SCRIPTS = frozenset(("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU"))


@dataclass(frozen=True, slots=True)
class Address:
    """`key` identifies, `email` is what was typed (mended), `domain` is the key's part after the @."""

    key: str
    email: str
    domain: str


def parse_address(text: str) -> Address:
    """The one address in `text`, which may be wrapped as `mistakes.unwrapped` knows.

    Raises Refusal("address.…"); "address.misspelled" suggests what may be meant.
    """
    if found := plain_address(text):
        return Address(found[0], text, found[1])
    if len(text) > LONGEST_CELL and len(text := text.strip()) > LONGEST_CELL:
        raise Refusal("address.too_long", limit=LONGEST_ADDRESS)
    email = unwrapped(text)
    # Most that are wrapped are ordinary ones: a tenth of the time of a closer look.
    if found := plain_address(email):
        return Address(found[0], email, found[1])
    try:
        return _parsed(email)
    except Refusal as refusal:
        if refusal.code in ("address.invalid", "address.no_at_sign"):
            _suggest(email)
        raise


def exact_address(text: str) -> Address:
    """The address in a cell of ours, where an apostrophe before it was not put there by a spreadsheet.

    Raises Refusal("address.…").
    """
    return _parsed(text) if text.startswith("'") else parse_address(text)


def plain_address(text: str) -> tuple[str, str] | None:
    """Key and domain of an ordinary address, written as it is; None for what needs a closer look."""
    match = _PLAIN.fullmatch(text)
    if match is None or len(text) > LONGEST_ADDRESS or not (domain := _plain_domain(match[1])):
        return None
    local = text[: match.start(1) - 1].lower()
    if len(local) > LONGEST_LOCAL_PART or is_role(local):
        return None
    return f"{local}@{domain}", domain


def digest_of(key: str, *, digest_key: bytes) -> str:
    """HMAC-SHA256 of an address's key, in hex: without the account's own key nobody can guess addresses."""
    return hmac.new(digest_key, key.encode(), hashlib.sha256).hexdigest()


def is_role(local: str) -> bool:
    """Whether a local part, in lower case, names a mailbox that nobody subscribes with."""
    return local in ROLES or ("+" in local and local[: local.index("+")] in ROLES)


def one_a_line(text: str) -> str:
    """The text with each address on a line of its own, where a mail program has written several on one.

    With or without names before them, parted by semicolons, commas or blanks. Any text that holds anything
    else stays as it is.
    """
    lines = text.splitlines()
    if not any(line.count("@") > 1 for line in lines):
        return text
    found, has_several = list[str](), False
    for line in lines:
        addresses = _addresses_in(line, parts=_PARTS)
        if addresses is None:
            return text
        has_several = has_several or len(addresses) > 1
        found += addresses
    return "\n".join(found) + "\n" if has_several else text


def _addresses_in(text: str, *, parts: Sequence[re.Pattern[str]]) -> list[str] | None:
    """The addresses that a text consists of, with their names; None where a part of it is none."""
    text = text.strip(" \t,;")
    if not text:
        return []
    if _is_one(text):
        return [_QUOTED_NAME.sub(r"\1", text)]
    if not parts:
        return None
    found = list[str]()
    for part in parts[0].findall(text):
        inner = _addresses_in(part, parts=parts[1:])
        if inner is None:
            return None
        found += inner
    return found


def _is_one(text: str) -> bool:
    """Whether it is one address, though one that nobody may subscribe with."""
    try:
        parse_address(text)
    except Refusal as refusal:
        return refusal.code == "address.role"
    return True


@lru_cache(maxsize=65_536)
def _plain_domain(text: str) -> str:
    """The domain in lower case if it is plainly a good one, else ""."""
    domain = text.lower()
    return domain if len(domain) <= 253 and _PLAIN_DOMAIN.fullmatch(domain) else ""


def _suggest(email: str) -> None:
    """Raise Refusal("address.misspelled") when the text is near an address."""
    for text in dict.fromkeys(candidates(email[: LONGEST_ADDRESS + 50])):
        # Most are no better than what they were made of: without a dot there is no need to parse them.
        if not _has_dot(text.rpartition("@")[2]):
            continue
        try:
            found = _parsed(text)
        except Refusal:
            continue
        if found.email != email:
            raise Refusal("address.misspelled", suggestion=found.email)


def _has_dot(domain: str) -> bool:
    """Whether it has one, or what domains take for one."""
    plain = unicodedata.normalize("NFKC", domain)
    return "." in plain or "\u3002" in plain


def _parsed(email: str) -> Address:
    if not email:
        raise Refusal("address.missing")
    if any(_BETWEEN.search(part[1:-1]) for part in email.split("@")[1:-1]):
        raise Refusal("address.several")
    if len(email) > LONGEST_ADDRESS:
        raise Refusal("address.too_long", limit=LONGEST_ADDRESS)
    if any(map(_is_hidden, email)):
        raise Refusal("address.hidden_characters")
    if "@" not in email:
        raise Refusal("address.no_at_sign")
    try:
        # Whether mail arrives there is not ours to judge: example.com and .local are addresses.
        found = email_validator.validate_email(email, check_deliverability=False, globally_deliverable=False)
    except email_validator.EmailNotValidError as error:
        raise Refusal("address.invalid") from error
    domain = (found.ascii_domain or "").lower()
    typed = email[: email.rindex("@")]
    local = unicodedata.normalize("NFC", typed).translate(_ASCII_LOWER)
    is_short = len(local.encode()) <= LONGEST_LOCAL_PART
    ending = domain.rpartition(".")[2]
    if not is_short or "." not in domain or len(ending) < 2 or ending.isdigit():
        raise Refusal("address.invalid")
    if is_role(local):
        raise Refusal("address.role", role=local)
    _refuse_look_alikes(typed, domain=found.domain)
    key = f"{local}@{domain}"
    if len(key) > LONGEST_ADDRESS:
        raise Refusal("address.too_long", limit=LONGEST_ADDRESS)
    return Address(key, email, domain)


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character) in _HIDDEN_CATEGORIES or ord(character) in _HIDDEN


def _refuse_look_alikes(local: str, *, domain: str) -> None:
    """Raise Refusal("address.look_alike") for a name that mixes scripts, or has characters that stand for
    plain ones (a wide a, a Kelvin sign): one mailbox written like another's.

    A domain is written in plain ones by the rules of IDNA already.
    """
    if local.isascii() and domain.isascii():
        return
    for character in local:
        if not character.isascii() and any(
            part.isascii() for part in unicodedata.normalize("NFKC", character)
        ):
            raise Refusal("address.look_alike", character=character)
    for name in (local, *domain.split(".")):
        scripts: dict[str, str] = {}
        for character in name:
            if (script := _script(character)) in _LOOK_ALIKE_SCRIPTS:
                scripts.setdefault(script, character)
        if len(scripts) > 1:
            odd = next((one for script, one in scripts.items() if script != "LATIN"), "")
            raise Refusal("address.look_alike", character=odd)


@lru_cache(maxsize=4_096)
def _script(character: str) -> str:
    """The script of a letter by the first word of its name; "" for what is no letter."""
    return unicodedata.name(character, "").split(" ")[0] if character.isalpha() else ""
