"""Environment variables, read so that a wrong one stops the start with its name and value."""

from __future__ import annotations

import os
from pathlib import Path


class BadEnvironment(Exception):
    """A variable holds something that cannot be meant."""


def text(name: str, default: str = "") -> str:
    """The variable's value; `NAME_FILE` names a file to read it from (secrets of containers)."""
    path = os.environ.get(f"{name}_FILE")
    if path:
        return Path(path).read_text(encoding="utf-8").strip()
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
