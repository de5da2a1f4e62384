"""Words for genders and for states of a subscription, in six languages and many programs."""

from __future__ import annotations

import pytest

from backupsvc.errors import Refusal
from recipients.times import is_no_time
from recipients.words import is_no_gender, is_nothing, parse_flag, parse_gender, parse_status


@pytest.mark.parametrize(
    ("gender", "words"),
    [
        ("female", "Frau|w|Signora|Mrs.|Madame|mujer|Mevrouw|weiblich"),
        ("male", "HERR|m|Mr.|uomo|Monsieur|hombre|dhr.|Mann"),
        ("diverse", "divers|non-binary|x|altro"),
    ],
)
def test_genders(gender: str, words: str) -> None:
    assert {parse_gender(word) for word in words.split("|")} == {gender}


def test_a_gender_that_is_not_known_is_empty_and_a_title_is_none() -> None:
    assert all(map(is_no_gender, ("unknown", "Keine Angabe", "n/a", "", "0")))
    assert not is_no_gender("m")
    with pytest.raises(Refusal, match=r"value\.gender"):
        parse_gender("Dr.")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("active", "subscribed|SUBSCRIBED|Aktiv|iscritto|abonné|suscrito|ingeschreven|yes|1|true|opt_in"),
        ("unconfirmed", "pending|in attesa|Nicht bestätigt|en attente|pendiente|onbevestigd|new|neu"),
        (
            "inactive",
            "unsubscribed|Abgemeldet|disiscritto|désinscrit|dado de baja|uitgeschreven|no|0|false|nein|"
            "opted out|opt-out|NEVER_SUBSCRIBED|nonsubscribed|Non-subscribed|blacklisted|complained|"
            "archived|deleted|abused|Non-marketing contact|gesperrt|transactional|not opted in",
        ),
        ("bounced", "Cleaned|bounced|Hard Bounce|rimbalzato|rebotado|unzustellbar|invalid"),
    ],
)
def test_statuses_are_read_on_the_safe_side(status: str, words: str) -> None:
    assert {word: parse_status(word) for word in words.split("|")} == dict.fromkeys(words.split("|"), status)


def test_a_status_nobody_knows_is_refused() -> None:
    for word in ("perhaps", "VIP", "Madrid"):
        with pytest.raises(Refusal, match=r"value\.status"):
            parse_status(word)


def test_yes_no_and_nothing() -> None:
    assert {parse_flag(word) for word in ("Yes", "ja", "VERO", "1", "oui", "sí", "✓")} == {True}
    assert {parse_flag(word) for word in ("no", "Nein", "FALSE", "0", "falso", "nee")} == {False}
    assert parse_flag("maybe") is None
    assert all(map(is_nothing, ("", " ", "NULL", "\\N", "-", "n/a", "None")))
    assert not is_nothing("0")


def test_a_cross_is_a_yes_and_na_is_nothing() -> None:
    assert (parse_flag("x"), parse_flag("X "), parse_flag("F"), parse_status("x")) == (
        True,
        True,
        False,
        "active",
    )
    assert (parse_gender("x"), parse_gender("F")) == ("diverse", "female")
    assert all(map(is_nothing, ("NA", "<NA>", "na")))
    assert all(map(is_no_time, ("NA", "<NA>")))
    assert is_no_gender("NA")
