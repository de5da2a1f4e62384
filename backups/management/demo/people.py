"""People who do not exist, the same ones on every installation. Pure Python."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

# First names of women and of men, family names, towns, and the ends of addresses (none of which can exist).
LANGUAGES = {
    "de": (
        "Anna|Jörgine|Katharina|Leonie|Mia|Käthe|Sabine|Ursula|Renate|Jana|Heike|Lotte|Frieda",
        "Jörg|Björn|Matthias|Lukas|Günther|Stefan|Uwe|Hans|Felix|Jürgen|Karl|Thomas|Paul",
        "Müller|Schmidt|Weiß|Schröder|Köhler|Großmann|Bäcker|Vogel|Hofmann|Jäger|Kurz|Öztürk|Lange",
        "Berlin|München|Köln|Nürnberg|Görlitz|Lübeck|Wien|Zürich",
        "post.example|briefkasten.example|kunden.example",
    ),
    "it": (
        "Giulia|Chiara|Francesca|Martina|Elisa|Alessia|Noemi|Beatrice|Lucia|Ilaria|Paola|Marta",
        "Luca|Marco|Matteo|Alessandro|Niccolò|Davide|Giorgio|Paolo|Simone|Andrea|Enrico|Fabio",
        "Rossi|Bianchi|Ferrari|Esposito|D'Angelo|Ricci|Moretti|Conti|Gallo|De Luca|Greco|Fontana",
        "Roma|Milano|Forlì|Torino|Bologna|L'Aquila|Napoli|Trento",
        "posta.example|clienti.example",
    ),
    "en": (
        "Emily|Olivia|Amelia|Zoë|Charlotte|Siobhán|Grace|Hannah|Ruby|Niamh|Alice|Renée",
        "Oliver|Jack|Harry|Seán|George|Noah|Arthur|Leo|Henry|Isaac|Theo|Dylan",
        "Smith|Jones|O'Brien|Taylor|Brown|Williams|Byrne|Evans|Walker|Wright|Hughes|Lewis",
        "London|Bristol|Leeds|Dublin|Cork|Edinburgh|York|Bath",
        "mail.example|letters.example",
    ),
}
PLAIN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ë": "e", "é": "e", "á": "a", "ò": "o",
                       "ì": "i", "Ö": "Oe", "'": "", " ": ""})  # fmt: skip
SOURCES = ("Sign-up form", "Checkout", "Trade fair", "Paper form", "")
TAGS = ("vip", "press", "partner", "early bird", "webinar")
# Own header names first: such a file maps itself.
HEADER = (
    "email", "status", "registered", "activated", "deactivated", "source", "signup_ip", "tags",
    "First name", "Last name", "City", "Gender", "Birthday", "Orders",
)  # fmt: skip
# Out of 100 people. The rest is active.
UNCONFIRMED, INACTIVE, BOUNCED = 6, 9, 2


@dataclass(frozen=True)
class Person:
    """One line of a list file."""

    email: str
    first_name: str
    last_name: str
    city: str
    gender: str
    birthday: str
    orders: int
    status: str
    registered: datetime
    activated: datetime | None
    deactivated: datetime | None
    source: str
    signup_ip: str
    tags: tuple[str, ...]

    def cells(self) -> list[str]:
        """The line, in the order of `HEADER`."""
        moments = (self.registered, self.activated, self.deactivated)
        return [
            self.email,
            self.status,
            *(moment.isoformat() if moment else "" for moment in moments),
            self.source,
            self.signup_ip,
            ",".join(self.tags),
            self.first_name,
            self.last_name,
            self.city,
            self.gender,
            self.birthday,
            str(self.orders),
        ]


@dataclass
class Crowd:
    """The people of one list as its owner's own files have them, over time."""

    seed: str
    languages: str
    now: datetime
    people: list[Person] = field(default_factory=list)

    def __post_init__(self) -> None:
        # The same people everywhere; nothing secret is made of them.
        self.dice = random.Random(self.seed)  # noqa: S311

    def grow(self, count: int) -> None:
        """More people sign up."""
        self.people += [self._person(len(self.people) + number) for number in range(count)]

    def move(self, count: int) -> None:
        """Some live elsewhere now, and have ordered again."""
        for index in self.dice.sample(range(len(self.people)), count):
            person = self.people[index]
            *_names, cities, _domains = self._words()
            self.people[index] = replace(person, city=self.dice.choice(cities), orders=person.orders + 1)

    def leave(self, count: int, *, days_ago: float) -> None:
        """Some unsubscribe."""
        moment = self.now - timedelta(days=days_ago)
        active = [index for index, person in enumerate(self.people) if person.status == "active"]
        for index in self.dice.sample(active, count):
            self.people[index] = replace(self.people[index], status="inactive", deactivated=moment)

    def _words(self) -> list[list[str]]:
        return [words.split("|") for words in LANGUAGES[self.dice.choice(self.languages.split())]]

    def _person(self, number: int) -> Person:
        dice = self.dice
        women, men, families, cities, domains = self._words()
        gender = dice.choice(("female", "male"))
        first, last = dice.choice(women if gender == "female" else men), dice.choice(families)
        registered = self.now - timedelta(days=dice.randrange(30, 1500), seconds=dice.randrange(86_400))
        luck = dice.randrange(100)
        is_confirmed = luck >= UNCONFIRMED
        has_left = UNCONFIRMED <= luck < UNCONFIRMED + INACTIVE
        has_bounced = UNCONFIRMED + INACTIVE <= luck < UNCONFIRMED + INACTIVE + BOUNCED
        birthday = date(1950, 1, 1) + timedelta(days=dice.randrange(20_000))
        return Person(
            email=f"{first}.{last}{number}@{dice.choice(domains)}".translate(PLAIN).lower(),
            first_name=first,
            last_name=last,
            city=dice.choice(cities),
            gender=gender,
            birthday=birthday.isoformat() if dice.random() < 0.6 else "",
            orders=dice.randrange(12),
            status="inactive" if has_left else "bounced" if has_bounced else "active" if is_confirmed
            else "unconfirmed",
            registered=registered,
            activated=registered + timedelta(hours=dice.randrange(1, 48)) if is_confirmed else None,
            deactivated=self.now - timedelta(days=dice.randrange(26, 29)) if has_left else None,
            source=dice.choice(SOURCES),
            signup_ip=f"192.0.2.{dice.randrange(1, 255)}",
            tags=tuple(sorted(dice.sample(TAGS, dice.choice((0, 0, 0, 1, 2))))),
        )  # fmt: skip


def list_file(people: Iterable[Person], *, broken: int = 0) -> bytes:
    """The people as a CSV file; `broken` lines at its end have addresses that cannot be used."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(HEADER)
    writer.writerows(person.cells() for person in people)
    writer.writerows([f"no address {number}", *[""] * (len(HEADER) - 1)] for number in range(broken))
    return text.getvalue().encode()
