"""Texts that hold halves of characters: how a shell's words arrive whose bytes are not UTF-8.

They can be neither stored nor written anywhere. Pure Python.
"""

from __future__ import annotations


def is_whole(text: str) -> bool:
    """Whether it can be stored and written."""
    return readable(text) == text


def readable(text: str) -> str:
    """The text with a question mark for each of those halves."""
    return text.encode("utf-8", "replace").decode()
