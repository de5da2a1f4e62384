"""Rows are Jinja's: what they may be trusted with."""

from __future__ import annotations

import pytest
from django.template import Context, Template, engines
from django.utils import translation
from jinja2 import Environment, UndefinedError

from backupsvc.accounts.templatetags import ui

pytestmark = pytest.mark.once


@pytest.fixture
def rows() -> Environment:
    environment: Environment = getattr(engines["rows"], "env")  # noqa: B009  # not in the base class
    return environment


def test_what_people_wrote_is_text(rows: Environment) -> None:
    assert rows.from_string("<b>{{ name }}</b>").render(name="<i>&") == "<b>&lt;i&gt;&amp;</b>"


@pytest.mark.parametrize(
    ("email", "drawn"),
    [
        ("anna@example.com", "anna@example.com"),
        ("<b>alessandro.bianchi@posta.example", "&lt;b&gt;alessandro.bianchi@<wbr>posta.example"),
        ("<b>longer than a line and no address", "&lt;b&gt;longer than a line and no address"),
    ],
)
def test_a_long_address_may_go_on_after_its_at(email: str, drawn: str, rows: Environment) -> None:
    assert rows.from_string("{{ email|breakable }}").render(email=email) == drawn


def test_a_name_that_is_not_there_is_a_mistake(rows: Environment) -> None:
    with pytest.raises(UndefinedError):
        rows.from_string("{{ nmae }}").render(name="x")


def test_they_know_the_page_and_speak_its_language(monkeypatch: pytest.MonkeyPatch) -> None:
    # Catalogs are compiled when the product is set up, not for its tests.
    monkeypatch.setattr(ui, "gettext", lambda text: f"{text} in {translation.get_language()}")
    page = Template('{% load ui %}{% drawn "backups/_state.jinja" %}')
    context = {"shown": {"is_writing": False, "has_failed": True}, "snapshot": {}}
    for language in ("de", "en"):
        with translation.override(language):
            assert f"failed in {language}" in page.render(Context(context))


def test_a_rare_component_is_djangos(rows: Environment) -> None:
    template = rows.from_string('{{ component("_progress", percent=30, label="<x>", detail="") }}')
    assert 'aria-valuenow="30"' in template.render()
    assert "&lt;x&gt;" in template.render()
