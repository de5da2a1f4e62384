"""What befalls a production: processes killed and stopped, servers gone, the disk full, files damaged.

Each fault does its harm and puts back what an operator would; it returns what the check of everything
must find meanwhile (nothing, for most).
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import redis

from tests.faults.stack import Stack

Fault = Callable[[Stack, random.Random], None]
# Longer than a lease (60 s).
STOPPED_SECONDS = 70.0
AWAY_SECONDS = 4.0
WORKERS = ("worker-1", "worker-2")


def kill_worker(stack: Stack, lot: random.Random) -> None:
    _killed(stack, lot.choice(WORKERS))


def kill_beat(stack: Stack, _lot: random.Random) -> None:
    _killed(stack, "beat")


def kill_web(stack: Stack, _lot: random.Random) -> None:
    _killed(stack, "web")


def kill_pool_child(stack: Stack, lot: random.Random) -> None:
    """The worker stays and makes itself another."""
    for child in stack.children(lot.choice(WORKERS)):
        os.kill(child, signal.SIGKILL)


def freeze_worker(stack: Stack, lot: random.Random) -> None:
    """A worker that sleeps past its lease wakes up and must not go on."""
    process = stack.processes[lot.choice(WORKERS)]
    os.killpg(process.pid, signal.SIGSTOP)
    time.sleep(STOPPED_SECONDS)
    os.killpg(process.pid, signal.SIGCONT)


def stop_redis(stack: Stack, _lot: random.Random) -> None:
    stack.end("redis", how=signal.SIGTERM)
    time.sleep(AWAY_SECONDS)
    stack.start_one("redis")


def kill_redis(stack: Stack, _lot: random.Random) -> None:
    stack.end("redis")
    time.sleep(AWAY_SECONDS)
    stack.start_one("redis")


def flush_redis(stack: Stack, _lot: random.Random) -> None:
    with redis.Redis(port=stack.ports["redis"]) as client:
        client.flushall()


def stop_postgres(stack: Stack, _lot: random.Random) -> None:
    """As `pg_ctl stop -m immediate`: no shutdown, recovery at the next start."""
    stack.end("postgres", how=signal.SIGQUIT, group=False)
    time.sleep(AWAY_SECONDS)
    stack.start_one("postgres")


def end_backends(stack: Stack, _lot: random.Random) -> None:
    stack.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")


def lose_archive_folder(stack: Stack, _lot: random.Random) -> None:
    """The folder is not there for a while, as when a disk is not mounted; a plain file bars the way."""
    folder = _archives(stack)
    away = folder.with_name("archives.away")
    folder.rename(away)
    folder.touch()
    time.sleep(AWAY_SECONDS)
    folder.unlink()
    away.rename(folder)


def fill_archive_disk(stack: Stack, _lot: random.Random) -> None:
    filler = _archives(stack) / "filler"
    try:
        with filler.open("wb") as file:
            while file.write(bytes(1 << 20)):
                file.flush()
    except OSError:
        pass
    time.sleep(AWAY_SECONDS)
    filler.unlink()


def make_archives_read_only(stack: Stack, _lot: random.Random) -> None:
    _remount(stack, "ro")
    time.sleep(AWAY_SECONDS)
    _remount(stack, "rw")


def damage_archive(stack: Stack, lot: random.Random) -> None:
    """A file flipped, cut, deleted or swapped with another: found by the check, and sound when put back."""
    files = sorted(path for path in _archives(stack).rglob("*.zip*") if path.suffix != ".tmp")
    stack.rest()
    if len(files) < 2:  # nothing to swap with yet
        return
    victim, other = lot.sample(files, 2)
    content = victim.read_bytes()
    match lot.choice(("flip", "cut", "delete", "swap")):
        case "flip":
            place = lot.randrange(len(content))
            victim.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        case "cut":
            victim.write_bytes(content[: lot.randrange(len(content))])
        case "delete":
            victim.unlink()
        case "swap":
            victim.write_bytes(other.read_bytes())
    found = {finding["invariant"] for finding in stack.findings()}
    victim.write_bytes(content)
    if "I2" not in found:
        raise AssertionError(f"damage of {victim.name} was not found")


FAULTS: tuple[Fault, ...] = (
    kill_worker, kill_pool_child, kill_beat, kill_web, stop_redis, kill_redis, flush_redis, stop_postgres,
    end_backends, lose_archive_folder, damage_archive,
)  # fmt: skip
# These need a file system of their own, which root alone can mount.
ON_OWN_DISK: tuple[Fault, ...] = (fill_archive_disk, make_archives_read_only)
SLOW: tuple[Fault, ...] = (freeze_worker,)


def mount_archives(stack: Stack) -> bool:
    """A small disk for the data folder; False where that is not ours to do."""
    folder = _archives(stack)
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=24m,mode=700", "tmpfs", str(folder.parent)]
    return os.geteuid() == 0 and not subprocess.run(command, check=False, capture_output=True).returncode


def unmount_archives(stack: Stack) -> None:
    """Give the disk back."""
    subprocess.run(["umount", "-l", str(_archives(stack).parent)], check=False, capture_output=True)


def _killed(stack: Stack, name: str) -> None:
    stack.end(name)
    stack.start_one(name)


def _archives(stack: Stack) -> Path:
    return stack.folder / "data" / "archives"


def _remount(stack: Stack, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(_archives(stack).parent)], check=True)
