"""How the web server runs, whoever starts it: gunicorn reads this file of the folder that it starts in."""

from __future__ import annotations

from pathlib import Path

from backupsvc import env
from backupsvc.memory import share_one_arena

share_one_arena()
env.load(Path(__file__).with_name(".env"))
workers = env.number("WEB_WORKERS", 2)
# Threads: a slow upload must not keep the next person waiting, and a long download is no sign of a process
# that hangs.
worker_class = "gthread"
threads = 8
timeout = 120
graceful_timeout = 15
# Longer than proxies and clients keep an idle connection. Who closes it under the other's next request resets
# it, and gunicorn's own 2 seconds are just what a page or a script waits between two looks.
keepalive = 75
control_socket_disable = True
