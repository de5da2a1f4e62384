"""Values as people write them, and as they are kept."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backupsvc.errors import Refusal
from recipients.values import (
    check_text,
    column_day_first,
    escape_formula,
    parse_date,
    parse_gender,
    parse_number,
    parse_status,
    parse_tags,
    parse_time,
    unescape_formula,
)


def code_of(function: object, *args: object, **kwargs: object) -> str:
    with pytest.raises(Refusal) as refused:
        function(*args, **kwargs)  # type: ignore[operator]
    return refused.value.code


MOMENT = datetime(2026, 11, 23, 18, 31, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-23T18:31:20Z", MOMENT),
        ("2026-11-23T18:31:20", MOMENT),
        ("2026-11-23 18:31:20.12+00", MOMENT.replace(microsecond=120_000)),
        ("2026-11-23T19:31:20.123456+01:00", MOMENT.replace(microsecond=123_456)),
        ("2026-11-23 18:31:20 UTC", MOMENT),
        ("2026-11-23", MOMENT.replace(hour=0, minute=0, second=0)),
        ("23.11.2026 18:31:20", MOMENT),
        ("23.11.2026 18:31 Uhr", MOMENT.replace(second=0)),
        ("23. 11. 2026", MOMENT.replace(hour=0, minute=0, second=0)),
        ("11/23/2026 6:31:20 PM", MOMENT),
        ("23/11/2026, 18:31:20", MOMENT),
        ("1795458680", MOMENT),
        ("", None),
        ("0", None),
        ("0000-00-00 00:00:00", None),
    ],
)
def test_times_of_every_kind(text: str, moment: datetime | None) -> None:
    assert parse_time(text) == moment


def test_a_time_without_zone_is_in_the_given_one() -> None:
    assert parse_time("23.11.2026 19:31:20", zone="Europe/Berlin") == MOMENT
    assert parse_time("2026-11-23T18:31:20Z", zone="Europe/Berlin") == MOMENT


def test_a_day_that_could_be_a_month_needs_to_be_told() -> None:
    assert code_of(parse_time, "03/04/2026") == "value.date_ambiguous"
    assert parse_date("03/04/2026", day_first=True) == "2026-04-03"
    assert parse_date("03/04/2026", day_first=False) == "2026-03-04"
    assert parse_date("03.04.2026", day_first=False) == "2026-04-03"
    assert parse_date("04/04/2026") == "2026-04-04"


def test_a_column_tells_which_comes_first() -> None:
    assert column_day_first(["03/04/2026", "23/04/2026", ""]) is True
    assert column_day_first(["03/04/2026", "04/23/2026"]) is False
    assert column_day_first(["03/04/2026", "2026-01-02"]) is None


@pytest.mark.parametrize(
    "text", ["31.02.2026", "2026-13-01", "yesterday", "2026-11-23 25:00", "1850-01-01", "2300-01-01", "12345"]
)
def test_no_time(text: str) -> None:
    assert code_of(parse_time, text) in ("value.time", "value.date")


def test_two_figures_are_no_year() -> None:
    assert code_of(parse_date, "01.05.55") == "value.year"


def test_a_date_has_no_time_of_day() -> None:
    assert parse_date("2026-11-23 00:00:00") == "2026-11-23"
    assert code_of(parse_date, "2026-11-23 10:00:00") == "value.date"
    assert code_of(parse_date, "x") == "value.date"


@pytest.mark.parametrize(
    ("text", "decimal", "number"),
    [
        ("1234.5", None, "1234.5"),
        ("-0.50", None, "-0.50"),
        ("1.234,50", None, "1234.50"),
        ("1,234.50", None, "1234.50"),
        ("1.234.567", None, "1234567"),
        ("1,5", None, "1.5"),
        ("1.234", ",", "1234"),
        ("1,234", ".", "1234"),
        ("1,234", ",", "1.234"),
        ("1 234,5", None, "1234.5"),
        ("1’234.5", None, "1234.5"),
        ("+007", None, "7"),
        ("1e-05", None, "0.00001"),
    ],
)
def test_numbers_of_every_kind(text: str, decimal: str | None, number: str) -> None:
    assert parse_number(text, decimal=decimal) == number


def test_no_number() -> None:
    assert code_of(parse_number, "1,234") == "value.number_ambiguous"
    for text in ("", "abc", "1-2", ".", "1,2,3", "NaN", "9" * 100, "١٢"):
        assert code_of(parse_number, text) == "value.number"


@given(st.decimals(places=6, min_value=-(10**15), max_value=10**15))
def test_plain_digits_are_kept_as_they_are(number: Decimal) -> None:
    assert parse_number(format(number, "f")) == format(number, "f")


def test_words_for_gender_and_status() -> None:
    assert [parse_gender(word) for word in ("Frau", "HERR", "w", "m", "Signora", "Mr.", "divers")] == [
        "female", "male", "female", "male", "female", "male", "diverse",
    ]  # fmt: skip
    assert code_of(parse_gender, "Dr.") == "value.gender"
    words = ("Abgemeldet", "subscribed", "Cleaned", "in attesa")
    assert [parse_status(word) for word in words] == ["inactive", "active", "bounced", "unconfirmed"]
    assert code_of(parse_status, "perhaps") == "value.status"


def test_tags_are_sorted_and_each_there_once() -> None:
    assert parse_tags("b, a;A b|c!|a,,") == ["A_b", "a", "b", "c_"]
    assert parse_tags("") == []


def test_texts_are_kept_exactly_or_refused() -> None:
    assert check_text("e\u0301\u2028\t\r\n=1") == "e\u0301\u2028\t\r\n=1"
    for text in ("a\0b", "a\x1bb", "a\x0bb"):
        assert code_of(check_text, text) == "value.control_characters"
    assert code_of(check_text, "x" * 32_768) == "value.too_long"


@given(st.one_of(st.text(), st.text("'=+-@\t\r\n\0＝＋－＠a", max_size=5)))
@example("'=1")
@example("'")
def test_escaping_formulas_can_be_undone_exactly(value: str) -> None:
    escaped = escape_formula(value)
    assert unescape_formula(escaped) == value
    assert not escaped.startswith(tuple("=+-@\t\r\n\0＝＋－＠"))


@given(st.text("'=+-@a", max_size=4), st.text("'=+-@a", max_size=4))
def test_no_two_values_escape_to_the_same(one: str, other: str) -> None:
    assert (escape_formula(one) == escape_formula(other)) == (one == other)
