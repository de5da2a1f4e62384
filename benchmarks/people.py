"""Lists of invented people: the same for the same size, so that runs can be compared.

Twelve columns; one row in a hundred repeats an address, one in two hundred has no usable address. Rows
come in no order of their addresses, as in real exports.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator
from pathlib import Path

# Raised when the rows change: files of an older making are not used again.
EDITION = 2
SEED = 20_261_123
# field of the account → its type. With email, registered and source: twelve columns.
ATTRIBUTES = {
    "first_name": "text",
    "last_name": "text",
    "gender": "gender",
    "birthday": "date",
    "city": "text",
    "country": "text",
    "company": "text",
    "customer_no": "text",
    "points": "number",
}
HEADER = ("email", "registered", "source", *ATTRIBUTES)

FIRST = [
    "Anna",
    "Zoë",
    "Łukasz",
    "José",
    "Müşerref",
    "Søren",
    "Þórdís",
    "Chloé",
    "Vojtěch",
    "Ángel",
    "Françoise",
    "Günther",
    "Ömer",
    "Nguyễn",
    "Αθηνά",
    "Дмитрий",
    "美咲",
    "Giulia",
    "Niccolò",
    "Jürgen",
    "Siân",
    "Ewa",
    "Noël",
    "Renée",
    "Bjørn",
    "Aïcha",
    "Tomáš",
    "Ilse",
    "Marco",
    "Petra",
]
LAST = [
    "Müller",
    "Rossi",
    "García",
    "Nowák",
    "Sørensen",
    "Ólafsdóttir",
    "O’Brien",
    "D'Angelo",
    "Yıldız",
    "Papadopoulos",
    "Иванова",
    "山田",
    "Lefèvre",
    "Strauß",
    "Håkansson",
    "van-der-Berg",
    "Kovács",
    "Đorđević",
    "Fernández",
    "Schmidt",
    "Bianchi",
    "Weiß",
    "Ångström",
    "Novotný",
]
CITIES = [
    "Düsseldorf",
    "München",
    "Köln",
    "Zürich",
    "Bolzano",
    "Forlì",
    "Cefalù",
    "Kraków",
    "Malmö",
    "Ålesund",
    "Besançon",
    "A",
    "Coruña",
    "İstanbul",
    "Αθήνα",
    "Київ",
    "東京",
    "Graz",
    "Trieste",
    "Genève",
    "Liège",
]
COMPANIES = ("", "", "", "Bäckerei Müller & Söhne", "Trattoria “Da Noè”, Trieste", "Smith; Sons", "Ab")
COUNTRIES = ("DE", "AT", "CH", "IT", "FR", "ES", "PL", "TR", "GR", "JP")
SOURCES = ("Website", "Messe Köln 2025", "Newsletter footer", "Import", "Fiera di Rimini")
DOMAINS = tuple(f"{name}.example" for name in ["mail", "post", "web", "firma", "shop", "studio", "posta"])


def list_file(folder: Path, *, rows: int, first: int = 0, changed: float = 0.0) -> Path:
    """A CSV of `rows` rows about the people numbered from `first`, kept in the folder for the next run.

    `changed` is the share of rows whose city and points differ from those of the file without it.
    """
    path = folder / f"people-{EDITION}-{rows}-{first}-{changed}.csv"
    if not path.exists():
        draft = path.with_suffix(".draft")
        with draft.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(HEADER)
            writer.writerows(_rows(rows, first=first, changed=changed))
        draft.rename(path)
    return path


def addresses(rows: int) -> int:
    """How many different usable addresses a file of so many rows has."""
    return sum(1 for number in range(rows) if number % 100 != 99 and number % 200 != 50)


def _rows(rows: int, *, first: int, changed: float) -> Iterator[tuple[str, ...]]:
    chance = random.Random(SEED + first)
    changes = random.Random(SEED + first + 1)
    for number in range(rows):
        person = _person(first + number, chance)
        if changes.random() < changed:
            person = (*person[:7], f"{person[7]} (new)", *person[8:11], str(int(person[11]) + 1))
        if number % 100 == 99:
            # The one before, written in capitals: the same address.
            person = (_address(first + number - 1).upper(), *person[1:])
        elif number % 200 == 50:
            person = (f"nobody{number}@@nowhere", *person[1:])
        yield person


def _address(number: int) -> str:
    # Scattered over the alphabet: files are not sorted by address.
    scattered = number * 2_654_435_761 % 4_294_967_296
    return f"{scattered:08x}.{number}@{DOMAINS[scattered % len(DOMAINS)]}"


def _person(number: int, chance: random.Random) -> tuple[str, ...]:
    pick = chance.random
    return (
        _address(number),
        f"{_day(2010 + int(pick() * 16), pick())} 08:{number % 60:02}:00",
        SOURCES[number % len(SOURCES)],
        FIRST[int(pick() * len(FIRST))],
        LAST[int(pick() * len(LAST))],
        "fm"[number % 2],
        _day(1950 + int(pick() * 50), pick()),
        CITIES[int(pick() * len(CITIES))],
        COUNTRIES[int(pick() * len(COUNTRIES))],
        COMPANIES[int(pick() * len(COMPANIES))],
        f"K-{number:08}",
        str(int(pick() * 100_000)),
    )


def _day(year: int, place: float) -> str:
    """A day of the year; `place` from 0 up to 1."""
    month, day = divmod(int(place * 12 * 28), 28)
    return f"{year}-{month + 1:02}-{day + 1:02}"
