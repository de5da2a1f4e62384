"""A small steady load from several accounts, and a model fed by nothing but what the clients were told."""

from __future__ import annotations

import re
import threading
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from http.client import HTTPException
from http.cookiejar import CookieJar
from pathlib import Path

from tests.faults.stack import Stack

PASSWORD = "correct horse 9"
PAUSE_SECONDS = 1.0
TOKEN = re.compile(rb'name="csrfmiddlewaretoken" value="([^"]+)"')

GROUP = (
    "SELECT g.id FROM recipients_group g JOIN accounts_account a ON a.id = g.account_id"
    " WHERE a.slug = '{slug}'"
)
KEYS = "SELECT key FROM recipients_recipient WHERE group_id = {group}"


@dataclass
class Client:
    """One account's only user, who adds people by hand and by file; each address names its origin."""

    stack: Stack
    slug: str
    group_id: int = 0
    told_ok: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    refused: int = 0
    number: int = 0

    def __post_init__(self) -> None:
        self.browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._work, name=f"client-{self.slug}")

    def prepare(self) -> None:
        """An account, an owner and a list with one person."""
        owner = f"o@{self.slug}.example"
        self.stack.manage("create_account", self.slug, "--owner", owner, "--password", PASSWORD)
        self._import(wait=True, create=True)
        ((self.group_id,),) = self.stack.ask(GROUP.format(slug=self.slug))

    def _work(self) -> None:
        while not self.stop.wait(PAUSE_SECONDS):
            self.number += 1
            if self.number % 8 == 0:
                self._import(wait=False)
            else:
                self._add()

    def _new_address(self) -> str:
        self.number += 1
        return f"{self.slug}-{self.number}@{self.slug}.example"

    def _import(self, *, wait: bool, create: bool = False) -> None:
        """A file through the command; accepted when it says so."""
        address = self._new_address()
        self.unknown.add(address)
        path = Path(self.stack.folder) / f"{address}.csv"
        path.write_text(f"email\n{address}\n")
        words = ["import_list", str(path), "--account", self.slug, "--group", "News", "--status=active"]
        words += ["--create"] if create else []
        done = self.stack.manage(*words, *(["--wait"] if wait else []), check=False)
        # Accepted, not done: its backup may still be refused by a full disk. Then nothing changes.
        if wait and done.returncode == 0:
            self._ok(address)

    def _add(self) -> None:
        """A person added on the page; done when the page says so."""
        address = self._new_address()
        self.unknown.add(address)
        url = f"{self.stack.site}/a/{self.slug}/recipients/{self.group_id}/people/add/"
        try:
            page = self._get(url)
            if b'name="password"' in page:
                self._sign_in()
                page = self._get(url)
            self._post(url, page=page, email=address, status="active")
            self._ok(address)
        except urllib.error.HTTPError as refusal:
            refusal.close()
            self.refused += 1
        except (OSError, HTTPException):
            self.refused += 1

    def _sign_in(self) -> None:
        url = f"{self.stack.site}/accounts/login/"
        page = self._get(url)
        self._post(url, page=page, login=f"o@{self.slug}.example", password=PASSWORD)

    def _get(self, url: str) -> bytes:
        with self.browser.open(url, timeout=20) as answer:
            return bytes(answer.read())

    def _post(self, url: str, *, page: bytes, **fields: str) -> None:
        """Send the form; it was accepted when it leads to another page."""
        token = TOKEN.search(page)
        if token is None:
            raise HTTPException("a page without a form")
        data = urllib.parse.urlencode({**fields, "csrfmiddlewaretoken": token[1].decode()}).encode()
        with self.browser.open(url, data, timeout=20) as answer:
            if answer.geturl() == url or "/login/" in answer.geturl():
                raise HTTPException("refused")

    def _ok(self, address: str) -> None:
        self.unknown.discard(address)
        self.told_ok.add(address)

    def lost_or_strange(self) -> str:
        """What is missing although the client was told, and what is there although nobody sent it."""
        found = {key for (key,) in self.stack.ask(KEYS.format(group=self.group_id))}
        lost, strange = self.told_ok - found, found - self.told_ok - self.unknown
        return f"{self.slug}: lost {sorted(lost)}, strange {sorted(strange)}" if lost or strange else ""
