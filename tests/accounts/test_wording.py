"""Every refusal has a sentence, and every sentence can be said."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import translation
from pytest_django.fixtures import Settings

from backupsvc.accounts.wording import EVENTS
from backupsvc.errors import Refusal
from backupsvc.wording import TEXTS, UnknownCode, say, say_code

CODE = re.compile(r"[a-z]+\.[a-z_]*[a-z]")
PLACEHOLDER = re.compile(r"%\((\w+)\)s")
NAMESPACES = {code.partition(".")[0] for code in TEXTS}


def modules() -> Iterator[tuple[Path, ast.Module]]:
    root = Path(settings.BASE_DIR)
    for app in ("recipients", "backups", "backupsvc"):
        for path in sorted((root / app).rglob("*.py")):
            if "migrations" not in path.parts and not path.name.startswith("wording"):
                yield path, ast.parse(path.read_text(encoding="utf-8"))


def codes_in_source() -> dict[str, str]:
    """Each string of the source that looks like a refusal's code, and where it stands."""
    found = {}
    for path, tree in modules():
        # Forms say by the beginning of a code which field it is about: keys of a dict, not codes.
        keys = {key for node in ast.walk(tree) if isinstance(node, ast.Dict) for key in node.keys}
        for node in ast.walk(tree):
            if node in keys:
                continue
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value):
                code = node.value
                if code.partition(".")[0] in NAMESPACES and code not in EVENTS:
                    found[code] = f"{path}:{node.lineno}"
    return found


def params_in_source() -> dict[str, list[set[str]]]:
    """The names each code is raised with, for every place that raises it directly."""
    found: dict[str, list[set[str]]] = defaultdict(list)
    for _path, tree in modules():
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant)):
                continue
            code = node.args[0].value
            is_code = isinstance(code, str) and code in TEXTS
            if is_code and all(keyword.arg for keyword in node.keywords):
                found[str(code)].append({str(keyword.arg) for keyword in node.keywords})
    return found


def test_every_code_in_the_source_has_a_text() -> None:
    missing = {code: where for code, where in codes_in_source().items() if code not in TEXTS}
    assert missing == {}


def test_a_text_names_only_what_the_code_is_always_raised_with() -> None:
    wrong = {
        code: (sorted(PLACEHOLDER.findall(str(TEXTS[code]))), sorted(names))
        for code, places in params_in_source().items()
        for names in places
        if not set(PLACEHOLDER.findall(str(TEXTS[code]))) <= names
    }
    assert wrong == {}


@pytest.mark.parametrize("language", ["en", "de", "it"])
def test_every_text_can_be_said_in_every_language(language: str) -> None:
    with translation.override(language):
        for code, text in TEXTS.items():
            said = say_code(code, dict.fromkeys(PLACEHOLDER.findall(str(text)), "X"))
            assert said, code
            assert "%(" not in said, code


def test_numbers_and_codes_among_the_parameters_read_as_words() -> None:
    assert "12,345" in say(Refusal("row.several", lines=12345))
    assert say(Refusal("account.forbidden", permission="export")).endswith("download recipients' data.")


def test_an_unknown_code_is_an_error_while_developing() -> None:
    with pytest.raises(UnknownCode):
        say_code("nobody.knows_this")


def test_an_unknown_code_still_reads_as_a_sentence_in_production(settings: Settings) -> None:
    settings.STRICT_WORDING = False
    assert "nobody.knows_this" in say_code("nobody.knows_this")
    assert "group.locked" in say_code("group.locked", {})
