"""What the operating system or the database says when it has no room or no right, in our words.

Pure: anything else is a bug and stays loud.
"""

from __future__ import annotations

import errno
import os

from backupsvc.errors import Refusal

_CODES = {
    errno.ENOSPC: "disk.full",
    errno.EDQUOT: "disk.full",
    errno.EFBIG: "disk.full",
    errno.EROFS: "disk.denied",
    errno.EACCES: "disk.denied",
    errno.EPERM: "disk.denied",
    errno.EIO: "disk.broken",
    errno.ESTALE: "disk.broken",
    errno.ENODEV: "disk.broken",
    errno.ENOTCONN: "disk.broken",
    errno.ENOTDIR: "disk.broken",
    errno.ENOENT: "disk.broken",
}
# PostgreSQL's SQLSTATE 53100, and what SQLite says.
_FULL_STATE = "53100"
_FULL_WORDS = ("database or disk is full", "disk i/o error")


def trouble(problem: BaseException) -> Refusal | None:
    """The refusal that tells a person what the server's disk or database lacks; None for a bug."""
    if isinstance(problem, OSError):
        code = _CODES.get(problem.errno or 0)
        return Refusal(code, detail=os.strerror(problem.errno or 0)) if code else None
    cause = problem.__cause__
    is_full = getattr(cause, "sqlstate", getattr(cause, "pgcode", None)) == _FULL_STATE
    if is_full or any(words in str(problem).lower() for words in _FULL_WORDS):
        return Refusal("disk.full", detail="database")
    return None
