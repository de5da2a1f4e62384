"""A worker's threads share the memory that they give back."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.once
ROOT = Path(__file__).resolve().parent.parent.parent
# What a worker of celery does at its start; then threads that each need memory at the same time. Every arena
# is one `heap` in what glibc tells of itself.
PROGRAM = """
import ctypes, sys, threading
from backupsvc.celery import app
from celery import signals
{start}
together = threading.Barrier(6)
def work():
    kept = [bytearray(2_000) for _ in range(500)]
    together.wait()
threads = [threading.Thread(target=work) for _ in range(6)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
stream = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, stream)
libc.fflush(stream)
"""
START = "signals.celeryd_init.send(sender=None, instance=None, conf=app.conf, options={})"


def arenas(start: str, **environment: str) -> int:
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(start=start)],
        cwd=ROOT,
        env=os.environ | {"ENV_FILE": ""} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return found.stdout.count("<heap nr=")


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_info"), reason="arenas are glibc's")
def test_the_threads_of_a_worker_share_one_arena() -> None:
    assert arenas(START) == 1
    # What a person has chosen stays; and without all that there are several, or this test sees nothing.
    assert arenas(START, MALLOC_ARENA_MAX="3") == 3
    assert arenas("") > 1
