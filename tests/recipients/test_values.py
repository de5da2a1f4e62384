"""Values as people write them, and as they are kept."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backupsvc.errors import Refusal
from recipients.values import (
    check_text,
    escape_formula,
    parse_number,
    parse_tags,
    unescape_formula,
)


def code_of(function: object, *args: object, **kwargs: object) -> str:
    with pytest.raises(Refusal) as refused:
        function(*args, **kwargs)  # type: ignore[operator]
    return refused.value.code


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


def test_tags_are_sorted_and_each_there_once() -> None:
    assert parse_tags("b, a;A b|c!|a,,") == ["A_b", "a", "b", "c_"]
    assert parse_tags("") == []
    assert parse_tags("* myContacts ::: Choir ::: *") == ["Choir", "_", "myContacts"]


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
