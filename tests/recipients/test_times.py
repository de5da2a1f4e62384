"""Times and dates as people and programs write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backupsvc.errors import Refusal
from recipients.times import PLAIN, PlainTimes, Style, parse_date, parse_time, tally

MOMENT = datetime(2026, 11, 23, 18, 31, 20, tzinfo=UTC)
MINUTE = MOMENT.replace(second=0)
DAY = MOMENT.replace(hour=0, minute=0, second=0)


def refused(text: str, style: Style = PLAIN) -> str:
    with pytest.raises(Refusal) as found:
        parse_time(text, style)
    return found.value.code


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        # as programs write them
        ("2026-11-23T18:31:20Z", MOMENT),
        ("2026-11-23T18:31:20", MOMENT),
        ("2026-11-23 18:31:20.12+00", MOMENT.replace(microsecond=120_000)),
        ("2026-11-23T19:31:20.123456+01:00", MOMENT.replace(microsecond=123_456)),
        ("2026-11-23 18:31:20 UTC", MOMENT),
        ("2026-11-23 19:31:20 +0100", MOMENT),
        ("2026-11-23", DAY),
        ("2026/11/23 18:31", MINUTE),
        ("20261123", DAY),
        ("20261123183120", MOMENT),
        ("20261123T183120", MOMENT),
        ("202611231831", MINUTE),
        ("1795458680", MOMENT),
        ("1795458680.0", MOMENT),
        ("1795458680123", MOMENT.replace(microsecond=123_000)),
        ("Mon, 23 Nov 2026 19:31:20 +0100", MOMENT),
        ("Mon Nov 23 2026 19:31:20 GMT+0100 (Central European Standard Time)", MOMENT),
        ("Mon Nov 23 18:31:20 2026", MOMENT),
        ("Mon Nov 23 13:31:20 EST 2026", None),
        # as people write them
        ("23.11.2026 18:31:20", MOMENT),
        ("23.11.2026 18:31 Uhr", MINUTE),
        ("23.11.2026, 18.31 Uhr", MINUTE),
        ("23.11.2026 um 19:31 MEZ", MINUTE),
        ("23. 11. 2026", DAY),
        ("23-11-2026", DAY),
        ("11/23/2026 6:31:20 PM", MOMENT),
        ("11/23/2026 6:31 p.m.", MINUTE),
        ("11/23/2026 6PM", MOMENT.replace(minute=0, second=0)),
        ("23/11/2026, 18:31:20", MOMENT),
        ("23/11/2026 à 18h31", MINUTE),
        ("23. November 2026", DAY),
        ("November 23rd, 2026 6:31 pm", MINUTE),
        ("Nov 23, 2026", DAY),
        ("23-Nov-2026", DAY),
        ("2026-Nov-23", DAY),
        ("Montag, 23. November 2026, 18:31 Uhr", MINUTE),
        ("lunedì 23 novembre 2026 alle ore 18:31", MINUTE),
        ("23 nov. 2026", DAY),
        ("lundi 23 novembre 2026 à 18:31", MINUTE),
        ("23 de noviembre de 2026", DAY),
        ("maandag 23 november 2026 18:31 uur", MINUTE),
        ("1er août 2026", datetime(2026, 8, 1, tzinfo=UTC)),
        ("5 März 2026", datetime(2026, 3, 5, tzinfo=UTC)),
        ("Mar 5, 2026", datetime(2026, 3, 5, tzinfo=UTC)),
        ("mar 3 nov 2026", datetime(2026, 11, 3, tzinfo=UTC)),
        ("5 ene 2026", datetime(2026, 1, 5, tzinfo=UTC)),
        ("5 mrt 2026", datetime(2026, 3, 5, tzinfo=UTC)),
    ],
)
def test_times_of_every_kind(text: str, moment: datetime | None) -> None:
    assert parse_time(text) == (moment or MOMENT)


@pytest.mark.parametrize(
    "text",
    ["", " ", "0", "NULL", "\\N", "-", "n/a", "0000-00-00", "0000-00-00 00:00:00", "00.00.0000", "0/0/00",
     "0.0.00", "0001-01-01T00:00:00"],
)  # fmt: skip
def test_what_programs_write_for_no_time_is_empty(text: str) -> None:
    assert parse_time(text) is None


def test_a_time_without_zone_is_in_the_given_one() -> None:
    berlin = Style(zone="Europe/Berlin")
    assert parse_time("23.11.2026 19:31:20", berlin) == MOMENT
    assert parse_time("2026-11-23T18:31:20Z", berlin) == MOMENT
    assert parse_time("1795458680", berlin) == MOMENT


def test_a_day_that_could_be_a_month_needs_to_be_told() -> None:
    assert refused("03/04/2026") == "value.date_ambiguous"
    assert parse_date("03/04/2026", Style(day_first=True)) == "2026-04-03"
    assert parse_date("03/04/2026", Style(day_first=False)) == "2026-03-04"
    assert parse_date("03.04.2026", Style(day_first=False)) == "2026-04-03"
    assert parse_date("04/04/2026") == "2026-04-04"


def test_numbers_are_days_only_where_the_column_says_so() -> None:
    assert refused("46349") == "value.time"
    serial = Style(is_serial=True)
    assert parse_time("46349", serial) == DAY
    assert parse_time("46349.7717592593", serial) == MOMENT
    assert parse_time("46349,5", serial) == DAY + timedelta(hours=12)
    assert parse_date("29221", serial) == "1980-01-01"


def test_two_figures_are_the_latest_year_that_can_be_meant() -> None:
    assert refused("01.05.55") == "value.year"
    to_come = Style(last_year=2026)
    assert parse_date("01.05.24", to_come) == "2024-05-01"
    assert parse_date("23-Nov-26", to_come) == "2026-11-23"
    assert refused("01.05.55", to_come) == "value.year"
    born = Style(last_year=2026, is_past=True)
    assert parse_date("01.05.55", born) == "1955-05-01"
    assert parse_date("5/31/27", born) == "1927-05-31"
    assert refused("26-11-23", born) == "value.year"


@pytest.mark.parametrize(
    "text",
    ["31.02.2026", "2026-13-01", "yesterday", "2026-11-23 25:00", "1850-01-01", "2300-01-01", "12345",
     "2026-11", "23.11.2026 18", "23 Smarch 2026", "11/23/2026 13:00 PM", "23.11.2026 18:00 XYZ",
     "9999999999999", "1" * 1000, " 1" * 5000, "20261301"],
)  # fmt: skip
def test_no_time(text: str) -> None:
    assert refused(text) in ("value.time", "value.date")


def test_a_date_has_no_time_of_day() -> None:
    assert parse_date("2026-11-23 00:00:00") == "2026-11-23"
    assert parse_date("23. November 2026") == "2026-11-23"
    for text in ("2026-11-23 10:00:00", "x", "1795458680"):
        with pytest.raises(Refusal, match=r"value\.date"):
            parse_date(text)


@pytest.mark.parametrize(
    ("cells", "is_day_first", "is_serial", "unclear"),
    [
        (["03/04/2026", "23/04/2026", ""], True, False, 1),
        (["03/04/2026", "04/23/2026"], False, False, 1),
        (["23/04/2026", "24/04/2026", "04/23/2026"], True, False, 0),
        (["03/04/2026", "2026-01-02", "05.06.2026"], None, False, 1),
        (["03/04/2026", "23/04/2026", "04/23/2026"], None, False, 1),
        (["46349", "46350.5", "0", ""], None, True, 0),
        (["46349", "39100", "Bozen"], None, False, 0),
        (["03/04/24 10:00", "13/04/24 10:00"], True, False, 1),
        ([], None, False, 0),
    ],
)
def test_a_column_tells_what_a_cell_cannot(
    cells: list[str], is_day_first: bool | None, is_serial: bool, unclear: int
) -> None:
    found = tally(cells)
    assert (found.is_day_first, found.is_serial, found.unclear) == (is_day_first, is_serial, unclear)


def test_a_column_shows_a_cell_that_tells_and_one_that_does_not() -> None:
    found = tally(["01/02/2026", "25/12/2026", "12/26/2026", "26/12/2026"])
    assert (found.telling, found.example) == ("25/12/2026", "01/02/2026")


seconds = st.integers(631_152_000, 4_102_444_800)
moments = seconds.map(lambda one: datetime.fromtimestamp(one, tz=UTC).replace(tzinfo=None))


@given(
    moments,
    st.sampled_from(
        ["%d.%m.%Y %H:%M:%S", "%Y-%m-%d %H:%M:%S", "%d %B %Y %I:%M:%S %p", "%a, %d %b %Y %H:%M:%S"]
    ),
)
def test_what_a_program_writes_is_read_as_it_was(moment: datetime, form: str) -> None:
    zone = ZoneInfo("Europe/Rome")
    expected = moment.replace(tzinfo=zone).astimezone(UTC)
    assert parse_time(moment.strftime(form), Style(zone="Europe/Rome")) == expected


@given(st.text("0123456789./-:T+Z PMaprUh ", max_size=30))
def test_no_text_is_more_than_refused(text: str) -> None:
    try:
        moment = parse_time(text, Style(day_first=True, last_year=2026, is_serial=True))
    except Refusal:
        return
    assert moment is None or moment.tzinfo is not None


# Many at once

ZONES = ("UTC", "Europe/Berlin", "Asia/Kolkata", "America/Sao_Paulo", "Pacific/Apia", "Europe/Amsterdam")


@settings(max_examples=500)
@given(
    st.lists(st.datetimes(datetime(1900, 1, 1), datetime(2099, 12, 31)), min_size=1, max_size=20),  # noqa: DTZ001
    st.sampled_from(ZONES),
)
def test_many_plain_times_are_read_as_each_of_them(moments: list[datetime], zone: str) -> None:
    texts = ["", *(str(moment.replace(microsecond=0)) for moment in moments)]
    one_by_one = [parse_time(text, Style(zone=zone)) for text in texts]
    assert PlainTimes(zone).in_utc(texts) == [str(one)[:19] if one else None for one in one_by_one]


@pytest.mark.parametrize("zone", ZONES)
def test_many_plain_times_around_changed_clocks_are_read_as_each_of_them(zone: str) -> None:
    days = (
        *("1916-04-30", "1937-06-30", "1937-07-01", "1940-05-16", "1980-04-06", "2011-12-29", "2011-12-31"),
        *("2018-02-17", "2018-02-18", "2018-11-03", "2018-11-04", "2024-03-30", "2024-03-31", "2024-10-27"),
    )
    texts = [
        f"{day} {hour:02}:{minute:02}:07" for day in days for hour in range(24) for minute in (0, 29, 30)
    ]
    times = [parse_time(text, Style(zone=zone)) for text in texts]
    assert PlainTimes(zone).in_utc(texts) == [str(time)[:19] for time in times]


@pytest.mark.parametrize("year", range(1900, 2100))
def test_many_plain_times_know_the_leap_years(year: int) -> None:
    text = f"{year}-02-29 10:20:30"
    is_leap = year % 4 == 0 and year != 1900
    assert PlainTimes("UTC").in_utc([text]) == ([text] if is_leap else None)


@pytest.mark.parametrize(
    "text", ["2026-02-30 10:00:00", "2026-1-1 10:00:00", "2026-01-01T10:00:00", "yes", "0"]
)
def test_one_time_that_is_not_plain_leaves_all_to_be_read_by_themselves(text: str) -> None:
    assert PlainTimes("UTC").in_utc(["2026-01-01 10:00:00", text]) is None
