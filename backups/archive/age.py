"""Encryption in the age format (https://age-encryption.org/v1), as streams of constant memory.

The library works through a whole stream in one call. Here it does so in a thread of its own, on the
other side of a pipe, so that rows can be pushed in while they come and pulled out as they are asked for.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from threading import Thread
from typing import Any, Protocol

import pyrage
from pyrage import x25519

# What we write is under 1 KiB; one that goes on and on would be read into memory.
MAX_HEADER_BYTES = 16 * 1024
_HEADER_END = b"\n--- "


class Undecryptable(Exception):
    """Another key's, changed, cut, or not encrypted at all: which of these cannot be told apart."""


class _Source(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Target(Protocol):
    def write(self, data: bytes, /) -> object: ...


def new_identity() -> str:
    """A new random secret key, as the `age` program writes it: AGE-SECRET-KEY-1…"""
    return str(x25519.Identity.generate())


def recipient_of(identity: str) -> str:
    """The public key that belongs to a secret one: age1… Raise ValueError for what is no key."""
    return str(_identity(identity).to_public())


def encrypt(plain: bytes, *, identity: str, armored: bool = False) -> bytes:
    """A small file, whole; `armored` as lines of ASCII."""
    encrypted: bytes = pyrage.encrypt(plain, [_identity(identity).to_public()], armored)
    return encrypted


def decrypt(source: _Source, *, identity: str, most_bytes: int) -> bytes:
    """What was encrypted, up to this size. Raise Undecryptable, and whatever the source raises."""
    target = _Limited(most_bytes)
    reading = _Noting(source.read)
    try:
        pyrage.decrypt_io(_Encrypted(reading), target, [_identity(identity)])
    except (pyrage.DecryptError, OSError) as exc:
        raise reading.error or Undecryptable(str(exc)) from exc
    return target.getvalue()


class EncryptingSink:
    """Encrypts what is written into the target. End it with `finish`, or with `abandon` after an error.

    What the target raises is raised by the next `write`, or by `finish`.
    """

    def __init__(self, target: _Target, *, identity: str) -> None:
        recipient = _identity(identity).to_public()
        inlet, self._outlet = os.pipe()
        self._writing = _Noting(target.write)
        self._is_abandoned = False
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, args=(inlet, recipient), name="age-encrypt", daemon=True)
        self._thread.start()

    def write(self, data: bytes, /) -> int:
        """Take all of the data."""
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._outlet, view) :]
        except BrokenPipeError:
            self.finish()
            raise
        return len(data)

    def finish(self) -> None:
        """The end of the plain text: everything is in the target when this returns."""
        self._end()
        if self._error is not None:
            raise self._error

    def abandon(self) -> None:
        """Write no more: what is in the target is no whole file. Harmless after `finish`."""
        self._is_abandoned = True
        self._end()

    def _end(self) -> None:
        if self._outlet >= 0:
            os.close(self._outlet)
            self._outlet = -1
            self._thread.join()

    def _run(self, inlet: int, recipient: x25519.Recipient) -> None:
        try:
            # Closed at the end, whatever it was: a writer must then fail instead of waiting.
            with open(inlet, "rb") as plain:  # a descriptor, not a path
                pyrage.encrypt_io(
                    _Reading(lambda size: self._more(plain, size)), _Writing(self._writing), [recipient]
                )
        except BaseException as exc:
            self._error = self._writing.error or exc

    def _more(self, plain: io.BufferedReader, size: int) -> bytes:
        block = plain.read(size)
        if self._is_abandoned:
            raise OSError("abandoned")
        return block


class DecryptingStream(io.RawIOBase):
    """The plain text of an encrypted source. Its reads raise Undecryptable, and what the source raises.

    Nothing counts until the end was read: a block is authentic in itself, but only the last one tells
    that none is missing.
    """

    def __init__(self, source: _Source, *, identity: str) -> None:
        key = _identity(identity)
        self._inlet, outlet = os.pipe()
        self._reading = _Noting(source.read)
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, args=(outlet, key), name="age-decrypt", daemon=True)
        self._thread.start()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        size = os.readv(self._inlet, [buffer])
        if not size and len(buffer):
            self._thread.join()
            if self._error is not None:
                raise self._error
        return size

    def close(self) -> None:
        if not self.closed:
            super().close()
            # The thread, if it still decrypts, fails at its next block.
            os.close(self._inlet)
            self._thread.join()

    def _run(self, outlet: int, key: x25519.Identity) -> None:
        try:
            with open(outlet, "wb", buffering=0) as plain:  # a descriptor, not a path
                pyrage.decrypt_io(_Encrypted(self._reading), _Writing(plain.write), [key])
        except (pyrage.DecryptError, OSError) as exc:
            self._error = self._reading.error or Undecryptable(str(exc))
        except BaseException as exc:
            self._error = self._reading.error or exc


class _Noting:
    """A call that keeps what it raised: the library passes on no more than its text."""

    def __init__(self, call: Callable[[Any], Any]) -> None:
        self._call = call
        self.error: BaseException | None = None

    def __call__(self, value: Any) -> Any:
        try:
            return self._call(value)
        except BaseException as exc:
            self.error = exc
            raise


class _Reading:
    """What the library takes for a file to read from."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self.read = read


class _Encrypted:
    """A file to decrypt from. The library keeps a whole header in memory, so one without an end is cut."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._head: bytes | None = b""

    def read(self, size: int) -> bytes:
        block = self._read(size)
        if self._head is not None:
            self._head += block
            if _HEADER_END in self._head:
                self._head = None
            elif len(self._head) > MAX_HEADER_BYTES:
                return b""
        return block


class _Writing:
    """What the library takes for a file to write to."""

    def __init__(self, write: Callable[[bytes], Any]) -> None:
        self._write = write

    def write(self, data: bytes) -> int:
        self._write(data)
        return len(data)

    def flush(self) -> None:
        """Whoever owns the file flushes it."""


class _Limited(io.BytesIO):
    """A file in memory that takes no more than it was promised."""

    def __init__(self, most_bytes: int) -> None:
        super().__init__()
        self._most_bytes = most_bytes

    def write(self, data: Any, /) -> int:
        if self.tell() + len(data) > self._most_bytes:
            raise OSError("larger than it may be")
        return super().write(data)


def _identity(text: str) -> x25519.Identity:
    try:
        return x25519.Identity.from_str(text)
    except pyrage.IdentityError as exc:
        raise ValueError("not an age secret key") from exc
