"""Somebody who uses the product over HTTP, as a browser does, and waits until work is done."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import httpx
from django.conf import settings
from django.test import Client

from backups.models import Snapshot, SnapshotState
from backupsvc.accounts.models import Account, User
from backupsvc.jobs.models import Job
from backupsvc.jobs.queue import ring
from recipients.actions.groups import PURGE_JOB
from recipients.models import Change, ChangeKind, ChangeState, Group

POLL_SECONDS = 0.02
Seconds = dict[str, float]


class Visitor:
    """Each method does one thing from its first request to its end and gives the seconds of its parts.

    Without `keeps_connections` each request comes over one of its own, as from many people.
    """

    def __init__(self, account: Account, user: User, *, keeps_connections: bool = True) -> None:
        browser = Client()
        browser.force_login(user)
        token = "b" * 32
        self.base = f"http://127.0.0.1:{os.environ['PORT']}"
        self.http = httpx.Client(
            base_url=f"{self.base}/a/{account.slug}/",
            cookies={settings.SESSION_COOKIE_NAME: browser.session.session_key or "", "csrftoken": token},
            headers={"X-CSRFToken": token},
            timeout=600,
            limits=httpx.Limits(max_keepalive_connections=None if keeps_connections else 0),
        )

    def import_file(self, path: Path, *, group: Group, looks: float = 0) -> Seconds:
        """upload (and what the file looks like) → read (all checks, up to the preview) → apply.

        Between the first two somebody looks at the file's columns for `looks` seconds, which do not count.
        """
        change_id, seconds = self.upload(path, group=group)
        time.sleep(looks)
        seconds |= self.read(change_id)
        return seconds | self.confirm(change_id)

    def upload(self, path: Path, *, group: Group) -> tuple[int, Seconds]:
        started = time.perf_counter()
        with path.open("rb") as file:
            answer = self.post(
                "recipients/import/",
                data={"target": "existing", "group": str(group.pk)},
                files={"file": (path.name, file, "text/csv")},
            )
        return _number(r"/import/(\d+)/", answer), {"upload": time.perf_counter() - started}

    def read(self, change_id: int) -> Seconds:
        started = time.perf_counter()
        self.post(
            f"recipients/import/{change_id}/mode/",
            data={"mode": "reform_and_add", "blank": "keep", "new_status": "active"},
        )
        self.await_preview(change_id)
        return {"read": time.perf_counter() - started}

    def confirm(self, change_id: int) -> Seconds:
        started = time.perf_counter()
        self.post(f"recipients/changes/{change_id}/confirm/", data={"backup": ""})
        wait_until(lambda: _ended(change_id), what=f"change {change_id}")
        return {"apply": time.perf_counter() - started}

    def restore(self, snapshot: Snapshot, **wish: str) -> Seconds:
        """read (the archive verified and staged, up to the preview) → apply."""
        started = time.perf_counter()
        answer = self.post(f"backups/{snapshot.pk}/restore/", data={"mode": "reform_and_add", **wish})
        change_id = _number(r"/changes/(\d+)/", answer)
        self.await_preview(change_id)
        return {"read": time.perf_counter() - started, **self.confirm(change_id)}

    def back_up(self, group: Group) -> tuple[Snapshot, Seconds]:
        started = time.perf_counter()
        before = (
            Snapshot.objects.filter(group=group).order_by("-pk").values_list("pk", flat=True).first() or 0
        )
        self.post(f"backups/make/{group.pk}/")
        snapshot = Snapshot.objects.get(group=group, pk__gt=before)
        wait_until(lambda: _completed(snapshot), what=f"backup {snapshot.pk}")
        seconds = time.perf_counter() - started
        snapshot.refresh_from_db()
        return snapshot, {"backup": seconds}

    def await_preview(self, change_id: int) -> None:
        wait_until(lambda: _previewed(change_id), what=f"the preview of change {change_id}")

    def post(self, path: str, **given: object) -> httpx.Response:
        answer = self.http.post(path, **given)  # type: ignore[arg-type]
        assert answer.status_code == 302, f"POST {path}: {answer.status_code}\n{_said(answer.text)}"
        return answer

    def delete(self, group: Group) -> Seconds:
        """answer (to the person) → backup (written and read back) → rows (all gone)."""
        started = time.perf_counter()
        self.post(f"recipients/{group.pk}/delete/", data={"backup": "make", "typed_name": group.name})
        answered = time.perf_counter()
        change = Change.objects.get(group=group, kind=ChangeKind.DELETION)
        wait_until(lambda: _ended(change.pk), what=f"deletion {change.pk}")
        backed_up = time.perf_counter()
        job = Job.objects.get(kind=PURGE_JOB, subject_id=group.pk)
        # Beat would ring within five seconds.
        ring(job)
        wait_until(lambda: Job.objects.get(pk=job.pk).has_ended, what=f"job {job.pk}")
        return {
            "answer": answered - started,
            "backup": backed_up - answered,
            "rows": time.perf_counter() - backed_up,
        }

    def fetch(self, method: str, path: str) -> Seconds:
        """One request, its answer read to the end."""
        started = time.perf_counter()
        with self.http.stream(method, path) as answer:
            assert answer.status_code in (200, 302), f"{method} {path}: {answer.status_code}"
            for _chunk in answer.iter_raw():
                pass
        return {"request": time.perf_counter() - started}


def wait_until(is_so: Callable[[], bool], *, what: str, most_seconds: float = 3600) -> None:
    give_up_at = time.monotonic() + most_seconds
    while not is_so():
        assert time.monotonic() < give_up_at, f"{what}: not in an hour"
        time.sleep(POLL_SECONDS)


def _previewed(change_id: int) -> bool:
    state, code = Change.objects.values_list("state", "error_code").get(pk=change_id)
    assert not code, f"change {change_id}: {code}"
    return state == ChangeState.PREVIEW


def _ended(change_id: int) -> bool:
    state, code = Change.objects.values_list("state", "error_code").get(pk=change_id)
    assert not code, f"change {change_id}: {code}"
    return state == ChangeState.DONE


def _completed(snapshot: Snapshot) -> bool:
    state, code = Snapshot.objects.values_list("state", "error_code").get(pk=snapshot.pk)
    assert not code, f"backup {snapshot.pk}: {code}"
    return state == SnapshotState.COMPLETE


def _number(pattern: str, answer: httpx.Response) -> int:
    found = re.search(pattern, answer.headers["Location"])
    assert found, f"sent to {answer.headers['Location']}"
    return int(found[1])


def _said(page: str) -> str:
    """What a page says went wrong, without its markup."""
    texts = re.findall(r"(?:invalid-feedback|alert)[^>]*>(.*?)</div>", page, re.DOTALL)
    return "\n".join(" ".join(re.sub("<[^>]+>", " ", text).split()) for text in texts) or page[:500]
