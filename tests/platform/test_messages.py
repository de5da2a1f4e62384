"""Translations: compiled without gettext, and incomplete ones are named."""

from __future__ import annotations

import gettext
import io
import os
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from backupsvc.launch import messages

pytestmark = pytest.mark.once
HEADER = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n\n'


def test_a_catalogue_is_compiled_when_it_is_newer(tmp_path: Path) -> None:
    source = tmp_path / "it" / "LC_MESSAGES" / "django.po"
    source.parent.mkdir(parents=True)
    source.write_text(HEADER + 'msgid "List"\nmsgstr "Lista"\n')
    written = messages.compile_all(tmp_path)
    assert [path.name for path in written] == ["django.mo"]
    with written[0].open("rb") as file:
        assert gettext.GNUTranslations(file).gettext("List") == "Lista"
    assert messages.compile_all(tmp_path) == []
    later = written[0].stat().st_mtime + 10
    os.utime(source, (later, later))
    assert messages.compile_all(tmp_path) == written


def test_what_is_missing_or_guessed_or_left_over_is_named() -> None:
    catalogue = read_po(
        io.BytesIO(
            (
                HEADER + 'msgid "Done"\nmsgstr "Fatto"\n\nmsgid "Missing"\nmsgstr ""\n\n'
                '#, fuzzy\nmsgid "Guess"\nmsgstr "Forse"\n\n#~ msgid "Old"\n#~ msgstr "Vecchio"\n'
            ).encode()
        ),
        locale="it",
    )
    assert messages.problems(catalogue) == [
        "not translated: 'Missing'",
        "only a guess: 'Guess'",
        "no longer in the sources: 'Old'",
    ]
