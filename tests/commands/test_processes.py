"""The commands as real processes: exit codes, and what is on stdout and what is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INTO_NEWS = ("--account", "acme", "--group", "News")

pytestmark = pytest.mark.once

Manage = Callable[..., "subprocess.CompletedProcess[str]"]


def environment(folder: Path) -> dict[str, str]:
    """An installation of its own in this folder."""
    own = {"DATA_DIR": str(folder), "DATABASE_URL": "", "ENV_FILE": "", "DEBUG": "0", "CELERY_BROKER_URL": ""}
    return {**os.environ, **own, "DJANGO_SETTINGS_MODULE": "backupsvc.settings"}


@pytest.fixture(scope="module")
def manage(tmp_path_factory: pytest.TempPathFactory) -> Manage:
    """manage.py on an installation with the account "acme"."""
    folder = tmp_path_factory.mktemp("installation")

    def call(*words: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *map(str, words)],
            cwd=ROOT, env=environment(folder), input=stdin, capture_output=True, text=True, check=False,
            timeout=120,
        )  # fmt: skip

    for words in (("migrate", "-v0"), ("create_account", "acme", "--owner", "o@x.com", "--password", "pw")):
        done = call(*words)
        assert done.returncode == 0, done.stderr
    return call


def test_a_whole_life_of_a_list_without_any_worker(manage: Manage, tmp_path: Path) -> None:
    people = "email,First name\nanna@x.com,Änna\nbad,x\n"
    done = manage(
        "import_list", "-", *INTO_NEWS, "--create", "--status", "active", "--wait", "--json", stdin=people
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["added"] == 1
    assert "why it was rejected" in done.stderr
    deleted = manage("delete_group", *INTO_NEWS, "--wait", "--json")
    assert json.loads(deleted.stdout)["state"] == "done"
    (backup,) = json.loads(manage("backups", "list", "--account", "acme", "--json").stdout)
    assert (backup["cause"], backup["group_deleted"]) == ("deletion", True)
    restored = manage("backups", "restore", backup["id"], "--wait", "--json")
    assert json.loads(restored.stdout)["added"] == 1
    exported = manage("export_list", *INTO_NEWS)
    assert exported.stdout.splitlines()[1].startswith("anna@x.com,active,")
    assert exported.stdout.splitlines()[1].endswith(",Änna")
    assert exported.stderr == ""


@pytest.mark.parametrize(
    "words",
    [
        ("import_list", "none.csv", *INTO_NEWS, "--create"),
        ("delete_group", "--account", "acme", "--group", "Nothing"),
        ("backups", "restore", "999"),
        ("backups", "show", "999"),
        # A byte that is not UTF-8.
        ("import_list", "pyproject.toml", "--account", "acme", "--group", "x\udcff", "--create"),
        ("backups", "make", "--account", "nobody", "--group", "News"),
    ],
    ids=" ".join,
)
def test_a_refusal_is_exit_1_one_document_and_a_sentence(words: tuple[str, ...], manage: Manage) -> None:
    done = manage(*words, "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["message"] == done.stderr.strip()
    people = manage(*words)
    assert (people.returncode, people.stdout, people.stderr) == (1, "", done.stderr)


@pytest.mark.parametrize(
    "words",
    [
        ("import_list",),
        ("import_list", "x.csv", *INTO_NEWS, "--mode", "nonsense"),
        ("import_list", "x.csv", *INTO_NEWS, "--map", "nonsense"),
        ("import_list", "x.csv", *INTO_NEWS, "--encoding", "nonsense"),
        ("import_list", "x.csv", *INTO_NEWS, "--delimiter", "nonsense"),
        ("import_list", "x.csv", *INTO_NEWS, "--origin", "schedule"),
        ("export_list", "--account", "acme"),
        ("delete_group", "--group", "News"),
        ("backups",),
        ("backups", "nonsense"),
        ("backups", "show"),
        ("backups", "restore", "1", "--into", "News", "--new", "Other"),
        ("backups", "list", "--group", "News"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_exit_2_and_leaves_stdout_alone(words: tuple[str, ...], manage: Manage) -> None:
    done = manage(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr


def test_a_reader_that_leaves_early_sees_no_traceback(manage: Manage, tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    path.write_text("email,note\n" + "".join(f"p{n}@x.com,{'n' * 200}\n" for n in range(5_000)))
    scope = ("--account", "acme", "--group", "Many")
    assert manage("import_list", path, *scope, "--create", "--status", "active", "--wait").returncode == 0
    folder = manage("shell", "-v0", "-c", "from django.conf import settings; print(settings.DATA_DIR)").stdout
    process = subprocess.Popen(
        [sys.executable, "manage.py", "export_list", *scope],
        cwd=ROOT, env=environment(Path(folder.strip())), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline().startswith("email,")
    process.stdout.close()
    complaints = process.stderr.read()
    process.stderr.close()
    assert (process.wait(timeout=60), complaints) == (1, "")
