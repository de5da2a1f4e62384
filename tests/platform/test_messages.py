"""Translations: compiled without gettext, incomplete ones are named, no text of the sources is left out."""

from __future__ import annotations

import ast
import gettext
import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from django.utils import translation
from jinja2 import Environment
from jinja2.ext import extract_from_ast

from backupsvc.launch import messages

pytestmark = pytest.mark.once
HEADER = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n\n'
# makemessages looks for these names, and for "_" before a single text.
TEXT_FUNCTIONS = frozenset(name for name in translation.__all__ if "gettext" in name)
SHORT = frozenset({"gettext", "gettext_lazy", "gettext_noop"})


def sources(ending: str) -> Iterator[Path]:
    for name in messages.SOURCES:
        yield from sorted((messages.ROOT / name).rglob(f"*.{ending}"))


def other_names(tree: ast.Module) -> Iterator[str]:
    """Text functions that go by a name nobody looks for, so that their texts are not collected."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for name in node.names:
                is_known = name.asname in (None, name.name) or (name.asname == "_" and name.name in SHORT)
                if name.name in TEXT_FUNCTIONS and not is_known:
                    yield f"{name.name} as {name.asname}"
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr):
            yield from [ast.unparse(node)] if _name(node.value) in TEXT_FUNCTIONS else []


def texts(tree: ast.Module) -> Iterator[tuple[str | None, str]]:
    """Each text with its context, as Python reads the module."""
    for node in ast.walk(tree):
        name = _name(node.func) if isinstance(node, ast.Call) else ""
        if isinstance(node, ast.Call) and (name == "_" or name in TEXT_FUNCTIONS):
            # What is put together while the program runs has no translation.
            given = [ast.literal_eval(argument) for argument in node.args[:2]]
            yield (given[0], given[1]) if "pgettext" in name else (None, given[0])


def _name(node: ast.expr | None) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


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


def test_text_functions_go_by_names_that_are_looked_for() -> None:
    found = {
        f"{path.relative_to(messages.ROOT)}: {name}"
        for path in sources("py")
        for name in other_names(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert found == set()


@pytest.mark.parametrize(
    ("line", "is_wrong"),
    [
        ("from django.utils.translation import gettext, ngettext_lazy", False),
        ("from django.utils.translation import gettext_lazy as _", False),
        ("from django.utils.translation import gettext as _now", True),
        ("from django.utils.translation import ngettext as _", True),
        ("from django.utils.translation import pgettext_lazy as gettext_lazy", True),
        ("say = translation.gettext", True),
    ],
)
def test_a_name_that_nobody_looks_for_is_found(line: str, is_wrong: bool) -> None:
    assert bool(list(other_names(ast.parse(line)))) is is_wrong


def test_every_text_of_the_sources_is_in_every_catalogue() -> None:
    found = {
        (where, context, text)
        for where in sources("py")
        for context, text in texts(ast.parse(where.read_text(encoding="utf-8")))
    }
    # makemessages reads Jinja's templates as if they were Django's, and misses some of what they can say.
    rows = Environment(autoescape=True)
    found |= {
        (where, None, str(text))
        for where in sources("jinja")
        for _line, _function, text in extract_from_ast(rows.parse(where.read_text(encoding="utf-8")), ("_",))
    }
    assert {where.suffix for where, _context, _text in found} == {".py", ".jinja"}
    for path in messages.LOCALES.glob("*/LC_MESSAGES/django.po"):
        catalogue = read_po(io.BytesIO(path.read_bytes()), locale=path.parent.parent.name)
        missing = {
            f"{where.relative_to(messages.ROOT)}: {text}"
            for where, context, text in found
            if catalogue.get(text, context) is None
        }
        assert missing == set(), path
