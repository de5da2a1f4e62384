"""One command runs everything, starts again what dies, and leaves nothing behind."""

from __future__ import annotations

import configparser
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backupsvc.launch import supervisor

pytestmark = pytest.mark.once
ROOT = Path(__file__).resolve().parent.parent.parent


class Service:
    """`python -m backupsvc.launch` on a port and a data folder of its own."""

    def __init__(self, data_dir: Path) -> None:
        self.port = _free_port()
        self.data_dir = data_dir
        self.log = data_dir.with_name("log")
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "backupsvc.launch"],
                cwd=ROOT,
                env=self.environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        own = {"DATA_DIR": str(self.data_dir), "PORT": str(self.port), "ENV_FILE": "", "DEMO": "0"}
        return kept | own | {"WEB_WORKERS": "1", "WORKERS": "1"}

    def wait_until_ready(self) -> None:
        wait_until(lambda: "backupsvc runs at" in self.log.read_text(), 120, self.log.read_text)

    def pids(self, word: str = "") -> set[int]:
        """Its processes, known by the data folder in their environment, with the word in their command."""
        found = set()
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                environment, command = (entry / "environ").read_bytes(), (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if f"DATA_DIR={self.data_dir}".encode() in environment.split(b"\0") and word.encode() in command:
                found.add(int(entry.name))
        return found

    def kill_and_wait_for_another(self, word: str) -> None:
        wait_until(lambda: self.pids(word), 20, self.log.read_text)
        before = self.pids(word)
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: self.pids(word) - before, 30, self.log.read_text)

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5):
                return True
        except OSError:
            return False


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    if not Path("/proc/self/environ").exists():
        pytest.skip("LEFT OUT: processes are told apart by /proc, which is Linux's")
    running = Service(tmp_path / "data")
    yield running
    for pid in running.pids():
        os.kill(pid, signal.SIGKILL)
    running.process.wait()


def test_what_dies_comes_back_and_a_stop_leaves_nothing_running(service: Service) -> None:
    service.wait_until_ready()
    assert service.answers()
    for word in ("celery\0--quiet\0--app\0backupsvc\0worker", "gunicorn", "\0beat\0"):
        service.kill_and_wait_for_another(word)
    wait_until(service.answers, 30, service.log.read_text)

    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(60) == 0
    assert service.pids() == set()
    assert not service.answers()


def test_a_connection_that_rests_between_two_looks_is_not_closed(service: Service) -> None:
    service.wait_until_ready()
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)
    connection.request("GET", "/healthz")
    assert connection.getresponse().read()
    # A page looks at a running import every second, scripts at their leisure.
    time.sleep(4)
    assert connection.sock is not None
    connection.sock.setblocking(False)
    with pytest.raises(BlockingIOError):
        # Closed, it would read as empty.
        connection.sock.recv(1)
    connection.close()


def test_whoever_starts_the_web_server_gets_the_same() -> None:
    started = {}
    for name, more in (("by hand", []), ("by make run", _options_of("web"))):
        found = subprocess.run(
            [sys.executable, "-m", "gunicorn", "--print-config", "backupsvc.wsgi", *more],
            cwd=ROOT,
            env=os.environ | {"ENV_FILE": "", "WEB_WORKERS": "3"},
            capture_output=True,
            text=True,
            check=True,
        )
        lines = (line.partition("=") for line in found.stdout.splitlines())
        started[name] = {key.strip(): value.strip() for key, _, value in lines}
    by_hand, by_run = started.values()
    assert (by_hand["worker_class"], by_hand["workers"]) == ("gthread", "3")
    differ = {key for key in by_hand if by_hand[key] != by_run[key]}
    assert differ <= {"bind", "loglevel", "proc_name", "default_proc_name"}


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGKILL])
def test_a_closed_terminal_ctrl_c_and_a_kill_leave_nothing_running(
    service: Service, number: signal.Signals
) -> None:
    service.wait_until_ready()
    service.process.send_signal(number)
    service.process.wait(60)
    wait_until(lambda: not service.pids(), 60, service.log.read_text)


def test_a_killed_supervisor_takes_its_programs_along(service: Service) -> None:
    service.wait_until_ready()
    os.kill(int((service.data_dir / "run" / "supervisord.pid").read_text()), signal.SIGKILL)
    assert service.process.wait(60) == 1
    wait_until(lambda: not service.pids(), 60, service.log.read_text)


def test_a_second_start_on_the_same_data_is_refused(service: Service) -> None:
    service.wait_until_ready()
    second = subprocess.run(
        [sys.executable, "-m", "backupsvc.launch"],
        cwd=ROOT,
        env=service.environment() | {"PORT": str(_free_port())},
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode == 1
    assert "it already runs with the data in" in second.stderr


def test_a_taken_port_is_said_before_anything_is_made(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = subprocess.run(
            [sys.executable, "-m", "backupsvc.launch"],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path), "PORT": str(port), "ENV_FILE": ""},
            capture_output=True,
            text=True,
            check=False,
        )
    assert result.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in result.stderr
    assert not (tmp_path / "backupsvc.sqlite3").exists()


def test_the_configuration_survives_odd_paths(tmp_path: Path) -> None:
    folder = tmp_path / "100% mine; really"
    text = supervisor.config(supervisor.programs(bind="127.0.0.1:8000", web_workers=1, workers=1), folder)
    parsed = configparser.ConfigParser(inline_comment_prefixes=(";", "#"))
    parsed.read_string(text)
    assert parsed.get("supervisord", "nodaemon") == "true"
    assert {"program:web", "program:worker", "program:beat"} <= set(parsed.sections())


def test_the_worker_alone_gives_way() -> None:
    found = supervisor.programs(bind="127.0.0.1:8000", web_workers=1, workers=1)
    assert [program.name for program in found if program.command[0] == "nice"] == ["worker"]


def _options_of(name: str) -> list[str]:
    programs = supervisor.programs(bind="127.0.0.1:8000", web_workers=3, workers=1)
    (command,) = (program.command for program in programs if program.name == name)
    return command[command.index("backupsvc.wsgi") + 1 :]


def wait_until(condition: Callable[[], object], seconds: float, log: Callable[[], str]) -> None:
    give_up_at = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > give_up_at:
            pytest.fail(f"not within {seconds} seconds; the log says:\n{log()[-3000:]}")
        time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
