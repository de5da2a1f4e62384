"""Become another program that ends when its parent does, even if the parent is killed.

    python child.py PROGRAM [ARGUMENT…]

Run by its path, not as a module: it loads nothing of ours and is gone in a moment.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """Have the kernel send SIGTERM when the parent dies; where it cannot (not Linux), do nothing."""
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    # One that died before it was asked for is not told of any more.
    if os.getppid() != parent:
        sys.exit(1)


if __name__ == "__main__":
    end_with_parent()
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606  # no shell is what we want
