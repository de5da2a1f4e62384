"""What pages have hundreds of is drawn by shortcuts: each gives what Django's own way gives."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from types import SimpleNamespace

import pytest
from django.test.html import parse_html
from django.urls import reverse, set_script_prefix
from django.utils import formats, timezone, translation

from backupsvc.accounts.addresses import PLACE, address
from backupsvc.accounts.moments import written
from backupsvc.accounts.templatetags.ui import draw_menu, icon, moment

pytestmark = pytest.mark.once
EVERY_LETTER = " ".join("aAbcdDeEfFgGhHiIjlLmMnNoOPrsStTuUwWyYzZ")
FORMATS = ["DATETIME_FORMAT", "DATE_FORMAT", "j M Y, H:i", EVERY_LETTER, r"\H\o\u\r H, \\ \d\a\y j"]
TIMES = [
    dt.datetime(2026, 11, 2, 0, 0, 5, tzinfo=dt.UTC),
    dt.datetime(2026, 3, 29, 0, 59, tzinfo=dt.UTC),
    dt.datetime(2026, 3, 29, 1, 0, tzinfo=dt.UTC),
    dt.datetime(2024, 2, 29, 23, 30, 0, 123456, tzinfo=dt.UTC),
    dt.datetime(987, 12, 31, 12, 0, tzinfo=dt.UTC),
]


@pytest.mark.parametrize("language", ["en", "de", "it"])
@pytest.mark.parametrize("zone", ["Europe/Rome", "America/St_Johns", "UTC"])
def test_a_time_is_written_as_django_writes_it(language: str, zone: str) -> None:
    with translation.override(language), timezone.override(zoneinfo.ZoneInfo(zone)):
        for wanted in FORMATS:
            for value in TIMES:
                local = timezone.localtime(value)
                assert written(local, wanted, language) == formats.date_format(local, wanted)


def test_a_time_says_day_hour_and_zone() -> None:
    with translation.override("en"), timezone.override(zoneinfo.ZoneInfo("Europe/Rome")):
        drawn = moment(dt.datetime(2026, 11, 2, 9, 5, tzinfo=dt.UTC))
    assert drawn == (
        '<time class="moment" datetime="2026-11-02T09:05:00+00:00" title="2 Nov 2026, 10:05 CET">'
        '2 Nov 2026, 10:05 <span class="zone">CET</span></time>'
    )


@pytest.mark.parametrize("slug", ["acme", str(PLACE), "a-0"])
def test_an_address_is_the_one_that_django_finds(slug: str) -> None:
    for number in (1, 20260101, PLACE - 1):
        shown, taken = (
            address("backups:show", slug, number),
            address("backups:download", slug, number, "csv"),
        )
        person = address("recipients:recipient-show", slug, number, number + 1)
        assert shown == reverse("backups:show", args=[slug, number])
        assert person == reverse("recipients:recipient-show", args=[slug, number, number + 1])
        assert taken == reverse("backups:download", args=[slug, number, "csv"])


def test_an_address_begins_where_the_product_is_mounted() -> None:
    at_the_root = address("backups:show", "acme", 1)
    set_script_prefix("/letters/")
    try:
        assert address("backups:show", "acme", 1) == f"/letters{at_the_root}"
    finally:
        set_script_prefix("/")


def test_a_label_is_text_and_each_icon_has_its_own() -> None:
    first, second = icon("eye", label='<b>"A"</b>'), icon("eye", label="{0} B")
    assert 'role="img" aria-label="&lt;b&gt;&quot;A&quot;&lt;/b&gt;"' in first
    assert 'role="img" aria-label="{0} B"' in second
    assert 'aria-hidden="true"' in icon("eye")


def test_a_menu_escapes_what_it_is_given() -> None:
    look = SimpleNamespace(
        url="/?a=1&b=2", text="<Look>", icon="", post=False, danger=False, downloads=False, apart=True
    )
    take = SimpleNamespace(
        url="/take/", text="Take", icon="eye", post=True, danger=True, downloads=True, apart=False
    )
    drawn = draw_menu('of "A" <b>', [look, take], token='t"t')
    parse_html(drawn)
    assert 'aria-label="Actions for of &quot;A&quot; &lt;b&gt;"' in drawn
    assert '<a class="dropdown-item" href="/?a=1&amp;b=2">&lt;Look&gt;</a>' in drawn
    assert '<form method="post" action="/take/" data-downloads>' in drawn
    assert 'name="csrfmiddlewaretoken" value="t&quot;t"' in drawn
    assert drawn.count('role="separator"') == 1
