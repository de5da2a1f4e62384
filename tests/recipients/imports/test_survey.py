"""What the columns of a file say about their cells, and signs that it was misread."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from recipients.imports.mapping import AttributeSpec, Mapping
from recipients.imports.survey import COMMA, DAY, DAYS, MONTH, POINT, Reading, Survey, survey

SPECS = (AttributeSpec("Born", "date"), AttributeSpec("Joined", "date"), AttributeSpec("Points", "number"))


def surveyed(columns: dict[str, Sequence[str]], *, is_own: bool = False) -> Survey:
    """A survey of columns by target."""
    return survey(
        list(zip(*columns.values(), strict=True)),
        headers=[f"<{target}>" for target in columns],
        mapping=Mapping(tuple(columns)),
        attributes=SPECS,
        is_own=is_own,
    )


def only(found: Survey) -> Reading:
    (reading,) = found.readings
    return reading


@pytest.mark.parametrize(
    ("cells", "choice", "is_sure", "told", "against"),
    [
        (["03/04/2024", "23/04/2024", "24/04/2024", "04/23/2024"], DAY, True, 2, 1),
        (["03/04/2024", "04/23/2024"], MONTH, True, 1, 0),
        (["03/04/2024", "05/06/2024"], "", False, 0, 0),
        (["03/04/2024", "23/04/2024", "04/23/2024"], "", False, 1, 1),
        (["45000", "45001.5"], DAYS, True, 0, 0),
    ],
)
def test_a_column_of_dates_decides_by_majority_or_leaves_it_to_a_person(
    cells: list[str], choice: str, is_sure: bool, told: int, against: int
) -> None:
    reading = only(surveyed({"attribute:Born": cells}))
    assert (reading.choice, reading.is_sure, reading.told, reading.against) == (
        choice,
        is_sure,
        told,
        against,
    )
    assert reading.is_open == (choice == "")


def test_examples_show_both_ways_to_read_a_date() -> None:
    reading = only(surveyed({"registered": ["03/04/2024 10:00", "23/04/2024 11:00"]}))
    assert reading.examples == [
        ["03/04/2024 10:00", "2024-04-03", "2024-03-04"],
        ["23/04/2024 11:00", "2024-04-23", "2024-04-23"],
    ]
    assert only(surveyed({"registered": ["45000"]})).examples == [["45000", "2023-03-15", ""]]


def test_where_one_column_does_not_tell_the_others_of_the_file_do() -> None:
    born, joined = surveyed(
        {"attribute:Born": ["03/04/1984", "23/04/1984"], "attribute:Joined": ["05/06/2024", "07/08/2024"]}
    ).readings
    assert (born.choice, born.is_sure) == (DAY, True)
    assert (joined.choice, joined.is_sure, joined.is_open) == (DAY, False, False)


def test_dates_that_need_no_telling_need_no_word() -> None:
    for cells in (["2024-04-03", "3.4.2024"], ["3 April 2024", ""], ["04/04/2024", "1700000000"], ["", ""]):
        assert surveyed({"registered": cells}).readings == []


@pytest.mark.parametrize(
    ("cells", "choice", "is_sure"),
    [
        (["1.234,50", "1.234"], COMMA, True),
        (["1,234.50", "1,234"], POINT, True),
        (["1,5", "2"], COMMA, True),
        (["1,234", "2,345"], "", False),
        (["1.234", "2.345"], "", False),
        (["1.234", "0.5"], POINT, True),
    ],
)
def test_a_column_of_numbers_decides_likewise(cells: list[str], choice: str, is_sure: bool) -> None:
    reading = only(surveyed({"attribute:Points": cells}))
    assert (reading.choice, reading.is_sure) == (choice, is_sure)


def test_plain_numbers_need_no_word() -> None:
    assert surveyed({"attribute:Points": ["1.5", "1234", "-7"]}).readings == []


def test_the_words_of_a_status_are_shown_with_what_they_mean() -> None:
    reading = only(surveyed({"status": ["Abonniert", "Abonniert", "gesperrt", "VIP", "NULL"]}))
    assert reading.examples == [
        ["Abonniert", "active", "2"], ["gesperrt", "inactive", "1"], ["VIP", "?", "1"], ["NULL", "", "1"],
    ]  # fmt: skip
    assert not reading.is_open


def test_a_persons_choice_goes_before_the_columns_own_and_closes_an_open_one() -> None:
    found = surveyed({"attribute:Born": ["03/04/2024"], "attribute:Points": ["1,5"]})
    assert found.chosen({}) == {0: "", 1: COMMA}
    assert [reading.index for reading in found.open_columns({})] == [0]
    assert found.chosen({"0": MONTH, "1": POINT}) == {0: MONTH, 1: POINT}
    assert found.open_columns({"0": MONTH}) == []
    assert found.open_columns({"0": "sideways"}) == found.open_columns({})


def test_our_own_files_are_not_asked() -> None:
    assert surveyed({"registered": ["03/04/2024"], "attribute:Points": ["1.234"]}, is_own=True).readings == []


def test_a_survey_can_be_stored() -> None:
    found = surveyed({"attribute:Born": ["03/04/2024"], "status": ["yes"]})
    assert Survey.from_json(found.to_json()) == found
    assert Survey.from_json({}) == Survey()


def test_lost_and_twice_encoded_characters_are_counted_by_row() -> None:
    found = surveyed({"email": ["a@x.com"] * 4, "": ["G\ufffdrtner", "G\ufffd \ufffd", "Müller", "MÃ¼ller"]})
    assert (found.rows, found.replaced, found.twice_encoded, found.example) == (4, 2, 1, "G\ufffdrtner")
    assert surveyed({"email": ["a@x.com"], "": ["São Ângela â Ã"]}).twice_encoded == 0


def test_a_file_of_one_column_shows_the_mark_that_was_not_taken_for_a_delimiter() -> None:
    assert surveyed({"email": ["a@x.com;Ann", "b@x.com;Bob", "c@x.com"]}).unsplit == ";"
    assert surveyed({"email": ["a@x.com", "b@x.com", "Ann; c@x.com"]}).unsplit == ""
    assert surveyed({"email": ["a;", "b;"], "": ["x;", "y;"]}).unsplit == ""
