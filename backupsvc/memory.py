"""What the C library's allocator keeps of memory that Python has given back."""

from __future__ import annotations

import ctypes
import os

# Of glibc's malloc.h.
M_ARENA_MAX = -8


def share_one_arena() -> None:
    """Let all threads to come take their memory from one place, so that each uses what others gave back.

    glibc gives every thread an arena of its own, which keeps the most that the thread ever had: 20 to 30 MB
    more in a worker that imports, backs up and restores. A number in MALLOC_ARENA_MAX is left as it is; other
    C libraries have no arenas.
    """
    if "MALLOC_ARENA_MAX" in os.environ:
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_ARENA_MAX, 1)
