"""Environment variables: what is meant is read, what cannot be meant stops the start by name."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from backupsvc import env

pytestmark = pytest.mark.once
MonkeyPatch = pytest.MonkeyPatch


def test_a_secret_can_come_from_a_file(monkeypatch: MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from the file\n")
    monkeypatch.setenv("X", "from the environment")
    monkeypatch.setenv("X_FILE", str(tmp_path / "key"))
    assert env.text("X") == "from the file"


def test_a_secret_file_that_is_not_there_stops_the_start(monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setenv("X_FILE", "/no/such/file")
    with pytest.raises(env.BadEnvironment, match=r"X_FILE='/no/such/file': No such file"):
        env.text("X")


@pytest.mark.parametrize(("value", "meant"), [("1", True), ("Yes", True), ("off", False), ("", False)])
def test_flags_are_read_as_people_write_them(monkeypatch: MonkeyPatch, value: str, meant: bool) -> None:
    monkeypatch.setenv("X", value)
    assert env.flag("X", not meant) is meant


def test_a_flag_that_is_neither_stops_the_start(monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setenv("X", "maybe")
    with pytest.raises(env.BadEnvironment, match="X='maybe': use 1 or 0"):
        env.flag("X", False)


def test_a_number_that_is_none_stops_the_start(monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setenv("X", "1 GB")
    with pytest.raises(env.BadEnvironment, match="X='1 GB': use a whole number"):
        env.number("X", 1)


def test_a_word_outside_the_choice_stops_the_start(monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setenv("X", "xml")
    with pytest.raises(env.BadEnvironment, match="X='xml': use one of text, json"):
        env.choice("X", "text", ("text", "json"))


def test_names_are_split_and_stripped(monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setenv("X", " a, ,b ")
    assert env.names("X") == ["a", "b"]


def test_the_environment_wins_over_the_file(monkeypatch: MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("X=file\nY=file\n")
    monkeypatch.delenv("ENV_FILE")
    monkeypatch.setenv("X", "environment")
    monkeypatch.setenv("Y", "to be forgotten")
    monkeypatch.delenv("Y")
    env.load(tmp_path / ".env")
    assert (env.text("X"), env.text("Y")) == ("environment", "file")


def test_an_empty_env_file_means_none(monkeypatch: MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("X=file\n")
    monkeypatch.setenv("ENV_FILE", "")
    env.load(tmp_path / ".env")
    assert env.text("X") == ""


def test_a_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    key = env.secret("NO_SUCH_KEY", tmp_path / "key")
    assert len(key) >= 50
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert env.secret("NO_SUCH_KEY", tmp_path / "key") == key


def test_processes_that_start_together_agree_on_the_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        keys = set(pool.map(lambda _: env.secret("NO_SUCH_KEY", tmp_path / "key"), range(64)))
    assert len(keys) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_mail_settings_come_from_one_address(monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setenv("X", "smtp+tls://me%40example.com:p%2Fw@mail.example.com")
    mail = env.mail("X")
    assert (mail["EMAIL_HOST"], mail["EMAIL_PORT"], mail["EMAIL_USE_TLS"]) == ("mail.example.com", 587, True)
    assert (mail["EMAIL_HOST_USER"], mail["EMAIL_HOST_PASSWORD"]) == ("me@example.com", "p/w")


def test_a_wrong_address_is_refused_without_repeating_its_password(monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setenv("X", "smpt://me:hunter2@mail.example.com")
    with pytest.raises(env.BadEnvironment, match="X: use smtp:// or") as caught:
        env.mail("X")
    assert "hunter2" not in str(caught.value)


def test_files_lie_in_a_private_folder_without_an_address(tmp_path: Path) -> None:
    entry = env.private_storage("NO_SUCH_URL", tmp_path / "archives")
    assert stat.S_IMODE((tmp_path / "archives").stat().st_mode) == 0o700
    assert entry["OPTIONS"]["file_permissions_mode"] == 0o600


def test_a_bucket_comes_from_one_address(monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setenv("X", "s3://key:se%2Fcret@127.0.0.1:8333/bucket/deep/prefix?region=eu&tls=no")
    options = env.private_storage("X", Path("/data/archives"))["OPTIONS"]
    assert options["endpoint_url"] == "http://127.0.0.1:8333"
    assert (options["access_key"], options["secret_key"]) == ("key", "se/cret")
    assert (options["bucket_name"], options["location"]) == ("bucket", "deep/prefix/archives")
    assert not options["file_overwrite"]


def test_a_storage_address_without_a_bucket_is_refused(monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setenv("X", "s3://key:secret@host/")
    with pytest.raises(env.BadEnvironment, match="X: use s3://key:secret@host/bucket"):
        env.private_storage("X", Path("/data/archives"))
