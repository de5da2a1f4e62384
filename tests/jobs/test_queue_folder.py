"""The default mode's queue is a folder that web, workers and clock share: nobody trips over half a file."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty
from typing import Any
from uuid import uuid4

import pytest
from kombu import Connection, Exchange, Queue
from kombu.simple import SimpleQueue

from backupsvc.celery import app
from backupsvc.queue_folder import Channel

pytestmark = pytest.mark.once
MESSAGES = 1_000


@pytest.fixture
def options(tmp_path: Path) -> dict[str, Any]:
    """What the transport of one test is given: folders of its own."""
    folders = {name: tmp_path / name for name in ("messages", "control")}
    for folder in folders.values():
        folder.mkdir()
    return {
        "data_folder_in": str(folders["messages"]),
        "data_folder_out": str(folders["messages"]),
        "control_folder": str(folders["control"]),
        "polling_interval": 0.001,
    }


@pytest.fixture
def name() -> str:
    """A queue of this test alone: a process remembers what it has declared, whatever the folder."""
    return f"test-{uuid4()}"


@pytest.fixture
def queue(options: dict[str, Any], name: str) -> Iterator[SimpleQueue]:
    with _connection(options) as connection, connection.SimpleQueue(name) as queue:
        yield queue


def _connection(options: dict[str, Any]) -> Connection:
    connection: Connection = app.connection_for_write("filesystem://localhost", transport_options=options)
    return connection


def test_the_default_mode_uses_this_folder_and_no_other() -> None:
    with app.connection_for_write("filesystem://localhost") as connection:
        assert connection.transport_cls == app.conf.broker_transport == "backupsvc.queue_folder:Transport"


def test_many_who_write_and_many_who_read_pass_each_message_once(options: dict[str, Any], name: str) -> None:
    written = threading.Event()
    found: list[int] = []

    def write(first: int) -> None:
        with _connection(options) as connection, connection.SimpleQueue(name) as queue:
            for number in range(first, first + MESSAGES):
                queue.put(number)

    def read() -> None:
        with _connection(options) as connection, connection.SimpleQueue(name) as queue:
            while True:
                is_last_look = written.is_set()
                try:
                    message = queue.get(timeout=0.01)
                except Empty:
                    if is_last_look:
                        return
                    continue
                message.ack()
                found.append(message.payload)

    with ThreadPoolExecutor(4) as threads:
        readers = [threads.submit(read) for _ in range(2)]
        writers = [threads.submit(write, first) for first in (0, MESSAGES)]
        try:
            for writer in writers:
                writer.result()
        finally:
            written.set()
        for reader in readers:
            reader.result()
    assert sorted(found) == list(range(2 * MESSAGES))
    assert list(Path(options["data_folder_in"]).iterdir()) == []


@pytest.mark.parametrize("content", [b"", b'{"body": "bn', b"\xff\xfe\x00"])
def test_a_file_that_is_no_message_is_dropped_and_named_in_the_log(
    options: dict[str, Any], name: str, queue: SimpleQueue, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    folder = Path(options["data_folder_in"])
    (folder / f"0_first-in-order.{name}.msg").write_bytes(content)
    queue.put("the next one")
    # A worker that ran in this process before leaves its own level.
    with caplog.at_level(logging.WARNING):
        assert queue.get(block=False).payload == "the next one"
    assert list(folder.iterdir()) == []
    assert f"dropped an unreadable message of {len(content)} bytes from queue {name}" in caplog.text


@pytest.mark.parametrize("place", ["0_before-any-message", "z_after-any-message"])
def test_what_was_never_finished_is_removed_when_its_writer_is_surely_gone(
    options: dict[str, Any], queue: SimpleQueue, place: str
) -> None:
    folder = Path(options["data_folder_in"])
    old, new = folder / f"{place}-old.unfinished", folder / f"{place}-new.unfinished"
    old.write_text("{")
    new.write_text("{")
    hour_ago = time.time() - 3600
    os.utime(old, (hour_ago, hour_ago))
    queue.put("the next one")
    assert queue.get(block=False).payload == "the next one"
    assert list(folder.iterdir()) == [new]


def test_messages_come_in_the_order_in_which_they_were_written(queue: SimpleQueue) -> None:
    # Many fall into one millisecond, and an uptime gains a digit now and then, which sorts first as text.
    for number in range(100):
        queue.put(number)
    assert [queue.get(block=False).payload for _ in range(100)] == list(range(100))


def test_a_worker_survives_a_file_that_is_no_message(worker: Callable[[], None]) -> None:
    folder = Path(app.conf.broker_transport_options["data_folder_in"])
    (folder / "0_first-in-order.maintenance.msg").touch()
    app.send_task("jobs.sweep", queue="maintenance")
    worker()


def test_many_who_declare_their_queues_at_once_lose_none(options: dict[str, Any]) -> None:
    names = [f"queue{number}" for number in range(40)]
    exchange = Exchange("all", type="direct")

    def declare(name: str) -> None:
        with _connection(options) as connection:
            Queue(name, exchange, routing_key=name)(connection.default_channel).declare()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(declare, names))
    with _connection(options) as connection:
        table = Channel(connection.connection).get_table("all")
    assert sorted(row.queue for row in table) == sorted(names)
