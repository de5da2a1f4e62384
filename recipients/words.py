"""The words that stand for values: genders, states of a subscription, yes and no, months, time zones.

In English, German, Italian, French, Spanish and Dutch, and as newsletter tools, shops and customer
databases write them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import TypeVar

from backupsvc.errors import Refusal

# What programs write for a value that is not there. Texts are not asked: NA is Namibia.
NOTHING = frozenset(
    ("", "-", "--", "---", "–", "—", "null", "(null)", "<null>", "\\n", "none", "nil", "undefined", "nan",
     "nat", "na", "<na>", "n/a", "#n/a", "n.a.", "k.a.", "k. a.", "(empty)", "(leer)", "(blank)")
)  # fmt: skip


Meaning = TypeVar("Meaning")


def _spread(table: Mapping[Meaning, str]) -> dict[str, Meaning]:
    """Word → meaning, from meaning → words parted by |."""
    return {_plain(word): meaning for meaning, words in table.items() for word in words.split("|")}


def _plain(text: str) -> str:
    """A word without what writers differ in: case, spaces, hyphens and underscores, a point at the end."""
    spaced = unicodedata.normalize("NFC", text).lower().replace("_", " ").replace("-", " ")
    return " ".join(spaced.split()).rstrip(".")


_GENDERS = _spread(
    {
        "female": (
            "female|f|w|weiblich|frau|fr|femminile|femmina|donna|signora|sig.ra|mrs|ms|miss|woman|"
            "femme|feminin|féminin|madame|mme|mlle|mujer|femenino|señora|sra|vrouw|vrouwelijk|mevrouw|mevr"
        ),
        "male": (
            "male|m|männlich|maennlich|mann|herr|hr|herrn|maschile|maschio|uomo|signor|signore|sig|mr|"
            "mister|man|homme|masculin|monsieur|hombre|masculino|señor|sr|mannelijk|meneer|dhr|de heer"
        ),
        "diverse": (
            "diverse|divers|d|x|other|non binary|nonbinary|nichtbinär|altro|autre|otro|anders|non binario|"
            "non binaire|no binario|non binair"
        ),
    }
)
_NO_GENDER = frozenset(
    ("0", "u", "unknown", "unbekannt", "keine angabe", "not specified", "sconosciuto", "inconnu",
     "desconocido", "onbekend")
)  # fmt: skip

_STATUSES = _spread(
    {
        "active": (
            "active|aktiv|attivo|attiva|actif|active subscriber|activo|activa|actief|subscribed|subscriber|"
            "angemeldet|abonniert|confirmed|bestätigt|confermato|iscritto|iscritta|abonné|inscrit|suscrito|"
            "suscrita|ingeschreven|aangemeld|activated|aktiviert|opted in|opt in|optin|double opt in|"
            "marketing contact|explicit"
        ),
        "unconfirmed": (
            "unconfirmed|unbestätigt|nicht bestätigt|pending|ausstehend|non confermato|in attesa|"
            "non confirmé|en attente|not confirmed|unaktiviert|not activated|nicht aktiviert|new|neu|"
            "awaiting confirmation|pending confirmation|sin confirmar|pendiente|no confirmado|onbevestigd|"
            "in afwachting|niet bevestigd"
        ),
        # Whoever is not surely subscribed is not mailed: "never subscribed", "archived" and complaints too.
        "inactive": (
            "inactive|inaktiv|inattivo|inattiva|inactif|inactivo|inactief|unsubscribed|abgemeldet|"
            "deactivated|deaktiviert|disattivato|opted out|opt out|optout|disiscritto|disiscritta|cancellato|"
            "annullato|désabonné|désinscrit|unsubscribe|suppressed|blocked|blocklisted|blacklisted|"
            "blacklist|blocklist|gesperrt|non subscribed|nonsubscribed|not subscribed|never subscribed|"
            "non subscriber|transactional|no opt in|not opted in|nicht angemeldet|nicht abonniert|"
            "ausgetragen|abbestellt|widerrufen|gelöscht|deleted|removed|archived|complained|complaint|"
            "spam complaint|spam|junk|abuse|abused|reported|marked as spam|dado de baja|dada de baja|baja|"
            "desuscrito|cancelado|no suscrito|uitgeschreven|afgemeld|niet ingeschreven|non iscritto|"
            "non inscrit|non abonné|non marketing contact|do not contact|do not email|withdrawn|revoked"
        ),
        "bounced": (
            "bounced|bounce|hard bounce|hardbounce|hard bounced|cleaned|bereinigt|rimbalzato|respinto|"
            "zurückgekommen|rejeté|rebotado|unzustellbar|undeliverable|soft bounce|softbounce|invalid|"
            "ungültig|non valido|invalide|no válido|ongeldig|erreur"
        ),
    }
)
# Those that can be about nothing but mail: of an "active" or "cancelled" nobody knows what it is about.
_OUT_OF_MAIL = (
    "unsubscribed|unsubscribe|opted out|opt out|optout|abgemeldet|ausgetragen|abbestellt|disiscritto|"
    "disiscritta|désabonné|désinscrit|dado de baja|dada de baja|desuscrito|uitgeschreven|afgemeld|"
    "non subscribed|nonsubscribed|not subscribed|never subscribed|non subscriber|not opted in|no opt in|"
    "nicht angemeldet|nicht abonniert|non iscritto|non inscrit|non abonné|no suscrito|niet ingeschreven|"
    "suppressed|blocklisted|blacklisted|complained|spam complaint|marked as spam|do not contact|"
    "do not email|bounced|hard bounce|hardbounce|hard bounced|soft bounce|softbounce|cleaned|bereinigt|"
    "undeliverable|unzustellbar|zurückgekommen|rimbalzato|rebotado"
)
_OUT_OF_MAIL_WORDS = frozenset(map(_plain, _OUT_OF_MAIL.split("|")))
_YES = "yes|y|true|t|1|on|ja|j|wahr|sì|si|sí|s|vero|oui|o|vrai|verdadero|waar|✓|✔|☑|x|checked|ticked"
_NO = "no|n|false|f|0|off|nein|falsch|falso|non|faux|nee|onwaar|unchecked|✗|✘|☐"
_FLAGS = _spread({True: _YES, False: _NO})

# What a column of bounces says of an address that mail reaches.
_REACHED_WORDS = (
    "not bounced|no bounce|no bounces|never bounced|never|ok|okay|delivered|deliverable|valid|reachable|"
    "kein|keine|keiner|kein bounce|keine bounces|nicht gebounct|nie|zugestellt|zustellbar|gültig|erreichbar|"
    "in ordnung|consegnato|recapitato|valido|mai|nessuno|distribué|délivré|valide|jamais|aucun|entregado|"
    "válido|nunca|ninguno|niet gebounced|geen|geen bounce|afgeleverd|geldig|nooit|active|aktiv|attivo|actif|"
    "activo|actief"
)
_REACHED = _spread({True: _REACHED_WORDS})

MONTHS = {
    word: month
    for month, words in enumerate(
        (
            "january|jan|januar|jänner|jän|jaenner|gennaio|gen|janvier|janv|enero|ene|januari",
            "february|feb|februar|feber|febbraio|febb|février|fevrier|févr|fév|fev|febrero|februari",
            "march|mar|märz|maerz|mär|mrz|marzo|mars|maart|mrt",
            "april|apr|aprile|avril|avr|abril|abr",
            "may|mai|maggio|mag|mayo|mei",
            "june|jun|juni|giugno|giu|juin|junio",
            "july|jul|juli|luglio|lug|juillet|juil|julio",
            "august|aug|agosto|ago|août|aout|augustus",
            "september|sep|sept|settembre|set|sett|septembre|septiembre|setiembre",
            "october|oct|oktober|okt|ottobre|ott|octobre|octubre",
            "november|nov|novembre|noviembre",
            "december|dec|dezember|dez|dicembre|dic|décembre|decembre|déc|diciembre",
        ),
        start=1,
    )
    for word in words.split("|")
}
WEEKDAYS = frozenset((
    "monday", "mon", "tuesday", "tue", "tues", "wednesday", "wed", "thursday", "thu", "thur", "thurs",
    "friday", "fri", "saturday", "sat", "sunday", "sun", "montag", "mo", "dienstag", "di", "mittwoch", "mi",
    "donnerstag", "do", "freitag", "fr", "samstag", "sonnabend", "sa", "sonntag", "so", "lunedì", "lun",
    "martedì", "mar", "mercoledì", "mer", "giovedì", "gio", "venerdì", "ven", "sabato", "sab", "domenica",
    "dom", "lundi", "mardi", "mercredi", "jeudi", "jeu", "vendredi", "samedi", "sam", "dimanche", "dim",
    "lunes", "martes", "miércoles", "mié", "jueves", "jue", "viernes", "vie", "sábado", "sáb", "domingo",
    "maandag", "ma", "dinsdag", "woensdag", "wo", "donderdag", "vrijdag", "vr", "zaterdag", "za", "zondag",
    "zo",
))  # fmt: skip
# Hours east of Greenwich. Only what has one meaning, or the one that RFC 5322 gives it.
ZONES = {
    "Z": 0, "UT": 0, "UTC": 0, "GMT": 0, "WET": 0, "WEST": 1, "CET": 1, "MEZ": 1, "CEST": 2, "MESZ": 2,
    "EET": 2, "OEZ": 2, "EEST": 3, "OESZ": 3, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7,
    "MDT": -6, "PST": -8, "PDT": -7,
}  # fmt: skip


def is_nothing(text: str) -> bool:
    """Whether a cell says that there is no value: empty, NULL, a dash, n/a."""
    return text.strip().lower() in NOTHING


def is_cross(text: str) -> bool:
    """Whether a cell is ticked with a letter."""
    return _plain(text) == "x"


def is_reached(text: str) -> bool:
    """Whether a cell about bounces says that mail arrives."""
    return _plain(text) in _REACHED


def is_no_gender(text: str) -> bool:
    """Whether a cell says that the gender is not known."""
    return is_nothing(text) or _plain(text) in _NO_GENDER


def parse_gender(text: str) -> str:
    """female, male or diverse. Raises Refusal("value.gender")."""
    found = _GENDERS.get(_plain(text))
    if not found:
        raise Refusal("value.gender", value=text.strip()[:40])
    return found


@lru_cache(maxsize=1_000)
def parse_status(text: str) -> str:
    """active, unconfirmed, inactive or bounced; a plain yes is active, a plain no inactive.

    Raises Refusal("value.status").
    """
    word = _plain(text)
    found = _STATUSES.get(word)
    if not found and word in _FLAGS:
        found = "active" if _FLAGS[word] else "inactive"
    if not found:
        raise Refusal("value.status", value=text.strip()[:40])
    return found


@lru_cache(maxsize=1_000)
def parse_flag(text: str) -> bool | None:
    """What a yes or a no says; None for any other text."""
    return _FLAGS.get(_plain(text))


@lru_cache(maxsize=1_000)
def status_word(text: str) -> str | None:
    """The status that a word names by itself, yes and no aside; None for any other text."""
    return _STATUSES.get(_plain(text))


@lru_cache(maxsize=1_000)
def is_out_of_mail(text: str) -> bool:
    """Whether a word can only say that somebody gets no mail, whatever stands above it."""
    return _plain(text) in _OUT_OF_MAIL_WORDS
