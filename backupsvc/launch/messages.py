"""Translations: compile what is committed, and say what is missing.

    python -m backupsvc.launch.messages           compile every .po whose .mo is older or missing
    python -m backupsvc.launch.messages --check   exit 1 when a text has no translation (needs gettext)

Compiling takes no gettext: Babel does it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

ROOT = Path(__file__).resolve().parent.parent.parent
LOCALES = ROOT / "locale"
SOURCES = ("backupsvc", "recipients", "backups", "templates", "locale", "manage.py")


def compile_all(folder: Path = LOCALES) -> list[Path]:
    """Write the .mo beside every .po that is newer; return those written."""
    written = []
    for source in sorted(folder.glob("*/LC_MESSAGES/*.po")):
        target = source.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
            continue
        # By rename: a process that starts meanwhile reads the old translations or the new, never half.
        draft = target.with_name(f".{target.name}.{os.getpid()}")
        with draft.open("wb") as file:
            write_mo(file, _catalog(source))
        draft.replace(target)
        written.append(target)
    return written


def problems(catalog: Catalog) -> list[str]:
    """What keeps a catalogue that was just merged with the sources from being complete."""
    found = []
    for message in catalog:
        if not message.id:
            continue
        where = message.id[0] if isinstance(message.id, tuple) else message.id
        texts = message.string if isinstance(message.string, tuple) else (message.string,)
        if message.fuzzy:
            found.append(f"only a guess: {where!r}")
        elif not all(texts):
            found.append(f"not translated: {where!r}")
        found += [f"{error}: {where!r}" for error in message.check(catalog)]
    found += [f"no longer in the sources: {entry!r}" for entry in catalog.obsolete]
    return found


def check() -> list[str]:
    """Every problem in every language, found in a copy so that no committed file changes."""
    found = []
    with tempfile.TemporaryDirectory(prefix="backupsvc-messages-") as name:
        copy = Path(name)
        for source in SOURCES:
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, copy / source, ignore=shutil.ignore_patterns("__pycache__"))
            elif (ROOT / source).is_file():
                shutil.copy(ROOT / source, copy / source)
        subprocess.run(
            [
                *(sys.executable, "manage.py", "makemessages", "--all", "--no-wrap", "--verbosity=0"),
                *("--extension", "html,txt,py,jinja"),
            ],
            cwd=copy,
            check=True,
            env=os.environ | {"DATA_DIR": str(copy / "var"), "ENV_FILE": ""},
        )
        for path in sorted((copy / "locale").glob("*/LC_MESSAGES/*.po")):
            found += [f"{path.relative_to(copy)}: {problem}" for problem in problems(_catalog(path))]
    return found


def _catalog(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=path.parent.parent.name, abort_invalid=True)


def main(arguments: list[str]) -> int:
    """The program; its exit code."""
    if "--check" not in arguments:
        compile_all()
        return 0
    if not shutil.which("xgettext"):
        print("LEFT OUT: translations were not compared with the sources, gettext is not installed.")
        return 1 if os.environ.get("CI") or os.environ.get("REQUIRE_ALL") else 0
    found = check()
    print("\n".join(found) if found else "Translations are complete.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
