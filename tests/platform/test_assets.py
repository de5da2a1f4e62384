"""Front-end files: what the lock file says, without pointers to files that we do not ship."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from backupsvc.launch import assets

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a{}\n/*# sourceMappingURL=tabler.min.css.map */\n", "a{}\n"),
        ("a();\n//# sourceMappingURL=tabler.min.js.map", "a();"),
        ("a(); // see sourceMappingURL in the manual", "a(); // see sourceMappingURL in the manual"),
    ],
)
def test_pointers_to_source_maps_are_removed(text: str, left: str) -> None:
    assert assets.without_source_map(text) == left


def test_the_lock_file_names_no_host() -> None:
    lock = json.loads((assets.ROOT / "package-lock.json").read_text())
    assert all("resolved" not in package for package in lock["packages"].values())
    assert all(package.get("integrity") for name, package in lock["packages"].items() if name)


@pytest.fixture
def npm_calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """An npm that makes the files and counts; everything happens in a temporary folder."""
    calls: list[list[str]] = []
    monkeypatch.setattr(assets, "MODULES", tmp_path / "node_modules")
    monkeypatch.setattr(assets, "VENDOR", tmp_path / "vendor")
    monkeypatch.setattr(assets, "STAMP", tmp_path / "vendor" / ".stamp")

    def works(command: list[str]) -> bool:
        calls.append(command)
        for name in assets.COPIED:
            path = assets.MODULES / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{name}\n/*# sourceMappingURL=x.map */\n")
        return True

    monkeypatch.setattr(assets, "_works", works)
    monkeypatch.setattr("shutil.which", lambda _name: "/usr/bin/npm")
    return calls


def test_a_second_start_fetches_nothing(npm_calls: list[list[str]]) -> None:
    assets.fetch()
    assets.fetch()
    assert len(npm_calls) == 1
    assert "sourceMappingURL" not in (assets.VENDOR / "tabler.min.css").read_text()


def test_a_changed_lock_file_fetches_again(
    npm_calls: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assets.fetch()
    monkeypatch.setattr(assets, "_fingerprint", lambda: "another")
    assets.fetch()
    assert len(npm_calls) == 2


def test_without_npm_one_is_taken_from_the_package_index(
    npm_calls: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda _name: None)
    found = iter([None, SimpleNamespace(origin="/wheel/__init__.py")])
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: next(found))
    assets.fetch()
    assert npm_calls[0][-1] == assets.NPM_WHEEL
    assert npm_calls[1][0] == "/wheel/bin/node"
    assert npm_calls[1][2] == "ci"
