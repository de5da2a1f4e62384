"""Email addresses: what is one, and which two are the same.

An address has a key, by which it is found and compared, and the text a person typed, which is shown and
written to. The key's domain is its ASCII form in lower case; of the local part only A-Z are lowered,
because any wider folding (casefold turns the Kelvin sign into k) makes one person out of two.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

import email_validator

from backupsvc.errors import Refusal

LONGEST_ADDRESS = 254
LONGEST_LOCAL_PART = 64

# Mailboxes of machines and of whoever handles complaints: nobody subscribed with one. Not info@ or
# sales@, which are how small firms do subscribe.
ROLES = frozenset((
    "abuse", "postmaster", "hostmaster", "noreply", "no-reply", "no_reply", "no.reply", "donotreply",
    "do-not-reply", "do_not_reply", "mailer-daemon", "spam", "root", "nobody", "devnull",
))  # fmt: skip

_PLAIN = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@([A-Za-z0-9.-]+)")
_LABEL = r"(?!..--)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_PLAIN_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+(?!\d+\Z){_LABEL}")
_IN_BRACKETS = re.compile(r"([^<>]*)<([^<>]*)>")
_ASCII_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
# Control, format (bidi marks, zero width), surrogate, private use and unassigned characters; line and
# paragraph separators.
_HIDDEN_CATEGORIES = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))


@dataclass(frozen=True, slots=True)
class Address:
    """`key` identifies, `email` is what was typed (mended), `domain` is the key's part after the @."""

    key: str
    email: str
    domain: str


def parse_address(text: str) -> Address:
    """The one address in `text`, which may be wrapped: spaces, mailto:, Name <…>, quotes, a trailing ; , or .

    Raises Refusal("address.…").
    """
    match = _PLAIN.fullmatch(text)
    if match and len(text) <= LONGEST_ADDRESS:
        domain = _plain_domain(match[1])
        local = text[: -len(match[1]) - 1].lower()
        if domain and len(local) <= LONGEST_LOCAL_PART and local not in ROLES:
            return Address(f"{local}@{domain}", text, domain)
    return _parse_any(_unwrapped(text))


@lru_cache(maxsize=65_536)
def _plain_domain(text: str) -> str:
    """The domain in lower case if it is plainly a good one, else ""."""
    domain = text.lower()
    return domain if len(domain) <= 253 and _PLAIN_DOMAIN.fullmatch(domain) else ""


def _unwrapped(text: str) -> str:
    email = text.strip()
    if match := _IN_BRACKETS.fullmatch(email.rstrip(" ,;.")):
        name, email = match[1].strip(" \"'"), match[2].strip()
        if "@" in name and name.lower() != email.lower():
            raise Refusal("address.several")
    email = email.rstrip(" ,;.")
    if len(email) > 1 and email[0] == email[-1] and email[0] in "\"'":
        email = email[1:-1].strip()
    if email[:7].lower() == "mailto:":
        email = email[7:].split("?")[0].strip()
    return email


def _parse_any(email: str) -> Address:
    if not email:
        raise Refusal("address.missing")
    if len(email) > LONGEST_ADDRESS:
        raise Refusal("address.too_long", limit=LONGEST_ADDRESS)
    if any(unicodedata.category(character) in _HIDDEN_CATEGORIES for character in email):
        raise Refusal("address.hidden_characters")
    if email.count("@") > 1 and re.search(r"@[^@]+[\s,;/|]+[^@]+@", email):
        raise Refusal("address.several")
    if "@" not in email:
        raise Refusal("address.no_at_sign")
    try:
        # Whether mail arrives there is not ours to judge: example.com and .local are addresses.
        found = email_validator.validate_email(email, check_deliverability=False, globally_deliverable=False)
    except email_validator.EmailNotValidError as error:
        raise Refusal("address.invalid") from error
    domain = (found.ascii_domain or "").lower()
    local = unicodedata.normalize("NFC", found.local_part).translate(_ASCII_LOWER)
    is_short = len(local.encode()) <= LONGEST_LOCAL_PART
    if not is_short or "." not in domain or domain.rsplit(".", 1)[1].isdigit():
        raise Refusal("address.invalid")
    if local in ROLES:
        raise Refusal("address.role", role=local)
    key = f"{local}@{domain}"
    if len(key) > LONGEST_ADDRESS:
        raise Refusal("address.too_long", limit=LONGEST_ADDRESS)
    return Address(key, email, domain)
