"""The time zone that the name of a column says."""

from __future__ import annotations

import pytest

from recipients.zones import unclear_zone, zone_in


@pytest.mark.parametrize(
    ("header", "zone"),
    [
        ("registered (UTC+2)", "Etc/GMT-2"),
        ("Anmeldedatum (Europe/Berlin)", "Europe/Berlin"),
        ("OPTIN_TIME [UTC]", "UTC"),
        ("created ( gmt -03:00 )", "Etc/GMT+3"),
        ("created (GMT+0)", "UTC"),
        ("created (America/Argentina/Ushuaia)", "America/Argentina/Ushuaia"),
        *((name, "") for name in ("created", "created (UTC) by", "date (MM/DD)", "x (../etc)", "x (UTC+20)")),
    ],
)
def test_a_zone_in_brackets_is_known(header: str, zone: str) -> None:
    assert zone_in(header) == zone


@pytest.mark.parametrize(
    ("header", "zone", "unclear"),
    [
        ("Create Date (EST)", "Europe/Berlin", "EST"),
        ("Create Date (EST)", "America/New_York", ""),
        ("Anmeldedatum (MESZ)", "Europe/Berlin", ""),
        ("created (UTC+5:30)", "Europe/Berlin", "UTC+5:30"),
        ("created (GMT+01:00 Berlin)", "Europe/Berlin", "GMT+01:00 Berlin"),
        ("created (+02:00)", "UTC", "+02:00"),
        ("created (UTC+2)", "Europe/Berlin", ""),
        ("created (optional)", "Europe/Berlin", ""),
        ("created", "Europe/Berlin", ""),
    ],
)
def test_a_zone_that_could_be_another_is_unclear_where_the_account_has_no_such_clock(
    header: str, zone: str, unclear: str
) -> None:
    assert unclear_zone(header, zone=zone) == unclear
