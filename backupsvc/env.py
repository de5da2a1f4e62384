"""Environment variables, read so that a wrong one stops the start with its name and value."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import dotenv


class BadEnvironment(Exception):
    """A variable holds something that cannot be meant."""


def load(path: Path) -> None:
    """Add the variables of a `.env` file to the environment; what is set already wins.

    `ENV_FILE` names another file; empty, it means none at all (the tests read nobody's settings).
    """
    named = os.environ.get("ENV_FILE")
    if named == "":
        return
    dotenv.load_dotenv(named or path, override=False)


def text(name: str, default: str = "") -> str:
    """The variable's value; `NAME_FILE` names a file to read it from (secrets of containers)."""
    path = os.environ.get(f"{name}_FILE")
    if path:
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as exc:
            raise BadEnvironment(f"{name}_FILE={path!r}: {exc.strerror}") from None
    return os.environ.get(name, default)


def flag(name: str, default: bool) -> bool:
    """True for 1/true/yes/on, False for 0/false/no/off, whatever the case."""
    value = text(name, "yes" if default else "no").strip().lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off", ""}:
        return False
    raise BadEnvironment(f"{name}={value!r}: use 1 or 0")


def number(name: str, default: int) -> int:
    """A whole number."""
    value = text(name, str(default))
    try:
        return int(value)
    except ValueError:
        raise BadEnvironment(f"{name}={value!r}: use a whole number") from None


def names(name: str, default: str = "") -> list[str]:
    """A comma-separated list without empty entries."""
    return [part.strip() for part in text(name, default).split(",") if part.strip()]


def choice(name: str, default: str, allowed: tuple[str, ...]) -> str:
    """One of the allowed words."""
    value = text(name, default).strip().lower()
    if value not in allowed:
        raise BadEnvironment(f"{name}={value!r}: use one of {', '.join(allowed)}")
    return value


def private_folder(path: Path) -> Path:
    """The folder, there and open to its owner alone (a folder that exists keeps its mode)."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def secret(name: str, path: Path) -> str:
    """The variable, or else the key kept in the file, which is made on first use (0600).

    Several processes may start at once: one file wins, whole, and all of them read it.
    """
    value = text(name)
    if value:
        return value
    with contextlib.suppress(FileNotFoundError):
        return path.read_text(encoding="ascii").strip()
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(48) + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        # link, not rename: it fails when another process was faster, and then theirs is the key.
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    return path.read_text(encoding="ascii").strip()


def mail(name: str) -> dict[str, Any]:
    """Django's EMAIL_* settings from `smtp://user:password@host:port` (smtp+tls, smtp+ssl).

    Without the variable, mail is printed to the console.
    """
    value = text(name)
    if not value:
        return {"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}
    url = _url(name, value, {"smtp": 25, "smtp+tls": 587, "smtp+ssl": 465})
    return {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": url.hostname,
        "EMAIL_PORT": url.port or {"smtp": 25, "smtp+tls": 587, "smtp+ssl": 465}[url.scheme],
        "EMAIL_HOST_USER": unquote(url.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(url.password or ""),
        "EMAIL_USE_TLS": url.scheme == "smtp+tls",
        "EMAIL_USE_SSL": url.scheme == "smtp+ssl",
        "EMAIL_TIMEOUT": 10,
    }


def private_storage(name: str, folder: Path) -> dict[str, Any]:
    """A STORAGES entry for files that only the service reads: the folder, or a bucket.

    `s3://key:secret@host/bucket/prefix?region=eu-central-1&tls=no`; the folder's name is put behind
    the prefix, so that one bucket holds several storages. Without key and secret, the machine's own
    credentials count.
    """
    value = text(name)
    if not value:
        return {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {
                "location": private_folder(folder),
                "file_permissions_mode": 0o600,
                "directory_permissions_mode": 0o700,
            },
        }
    url = _url(name, value, {"s3": 443})
    bucket, _, prefix = url.path.strip("/").partition("/")
    if not bucket:
        raise BadEnvironment(f"{name}: use s3://key:secret@host/bucket")
    query = {key: values[-1] for key, values in parse_qs(url.query).items()}
    scheme = "http" if query.get("tls") in {"no", "0", "false"} else "https"
    return {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "access_key": unquote(url.username) if url.username else None,
            "secret_key": unquote(url.password) if url.password else None,
            "bucket_name": bucket,
            "endpoint_url": f"{scheme}://{url.hostname}" + (f":{url.port}" if url.port else ""),
            "region_name": query.get("region"),
            "addressing_style": query.get("addressing", "path"),
            "signature_version": "s3v4",
            "location": "/".join(part for part in (prefix.strip("/"), folder.name) if part),
            # A file that is there is never replaced: a key that is taken becomes another key.
            "file_overwrite": False,
            "default_acl": None,
            "querystring_auth": True,
        },
    }


def _url(name: str, value: str, schemes: dict[str, int]) -> SplitResult:
    """The parts of an address; the message never repeats it, since it may hold a password."""
    try:
        url = urlsplit(value)
        port_is_fine = url.port is None or url.port > 0
    except ValueError:
        raise BadEnvironment(f"{name}: not an address") from None
    if url.scheme not in schemes or not url.hostname or not port_is_fine:
        raise BadEnvironment(f"{name}: use {' or '.join(f'{scheme}://' for scheme in schemes)}host…")
    return url
