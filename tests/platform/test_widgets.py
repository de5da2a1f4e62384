"""The choice among very many: the same as Django's own, only faster."""

from __future__ import annotations

import pytest
from django import forms
from django.test.html import parse_html

from backupsvc.accounts.widgets import LongSelect

pytestmark = pytest.mark.once
CHOICES = [("", "All"), (7, "A & B <x>"), (12, "\"quoted\" 'names'")]


@pytest.mark.parametrize("value", [None, "", 7, "12", 99])
def test_it_offers_what_djangos_own_offers(value: object) -> None:
    attrs = {"class": "form-select", "id": "filter-list", "required": True}
    ours, djangos = (
        kind(choices=CHOICES).render("list", value, attrs) for kind in (LongSelect, forms.Select)
    )
    assert parse_html(ours) == parse_html(djangos)
