"""What a person reads when something is refused: a page, a fragment, never a bare error."""

from __future__ import annotations

import pytest
from django.http import Http404
from django.http.response import HttpResponseBase
from django.test import Client, RequestFactory
from django_htmx.middleware import HtmxMiddleware

from backupsvc.accounts.models import Account, User
from backupsvc.accounts.views.door import back_path, refused
from backupsvc.errors import Forbidden, NotFound, Refusal
from tests.fixtures.cast import ClientOf


def answer(refusal: Refusal, rf: RequestFactory, **headers: str) -> HttpResponseBase:
    request = rf.get("/a/acme/log/", headers=headers)
    return HtmxMiddleware(lambda request: refused(request, refusal))(request)  # type: ignore[return-value]


def test_a_refusal_is_a_page_with_its_sentence_and_a_way_back(rf: RequestFactory) -> None:
    page = answer(
        Refusal("group.locked", name="<b>News</b>"), rf, Referer="http://testserver/a/acme/log/?list=3"
    )
    assert page.status_code == 400
    text = page.content.decode()  # type: ignore[attr-defined]
    assert "&lt;b&gt;News&lt;/b&gt;” is locked" in text
    assert 'href="/a/acme/log/?list=3"' in text


def test_what_is_not_there_is_the_usual_404(rf: RequestFactory) -> None:
    with pytest.raises(Http404):
        answer(NotFound("group.not_found"), rf)


@pytest.mark.parametrize(
    ("refusal", "status"),
    [(Refusal("group.locked", name="News"), 400), (Forbidden("account.forbidden", permission="edit"), 403)],
)
def test_htmx_gets_a_message_for_the_page_that_is_there(
    refusal: Refusal, status: int, rf: RequestFactory
) -> None:
    fragment = answer(refusal, rf, **{"HX-Request": "true"})
    assert fragment.status_code == status
    assert b"<html" not in fragment.content  # type: ignore[attr-defined]
    assert b'role="alert"' in fragment.content  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "came_from",
    ["https://evil.example/x", "http://testserver.evil.example/", "http://testserver//evil.example/", ""],
)
def test_the_way_back_never_leads_elsewhere(came_from: str, rf: RequestFactory) -> None:
    assert back_path(rf.get("/", headers={"Referer": came_from})) in ("/", "/evil.example/")


def test_a_form_without_its_token_is_refused_in_words(account: Account, olivia: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(olivia)
    refusal = client.post("/a/acme/members/", {"email": "nina@example.com", "role": "owner"})
    assert refusal.status_code == 403
    assert "Nothing was changed." in refusal.text
    assert not User.objects.filter(email="nina@example.com").exists()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("post", "/a/acme/log/"),
        ("post", "/support/"),
        ("get", "/language/"),
        ("put", "/profile/"),
        ("delete", "/a/acme/members/"),
        ("delete", "/a/acme/settings/privacy/"),
    ],
)
def test_a_wrong_method_is_refused(
    method: str, path: str, account: Account, olivia: User, client_of: ClientOf
) -> None:
    answer = getattr(client_of(olivia), method)(path)
    assert answer.status_code == 405
    assert answer.headers["Allow"]
    assert "Nothing was changed." in answer.text
    assert "profile-toggle" in answer.text


def test_no_page_can_be_put_into_a_frame_or_run_foreign_scripts(
    account: Account, olivia: User, client_of: ClientOf
) -> None:
    page = client_of(olivia).get("/a/acme/log/")
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    assert page.headers["X-Frame-Options"] == "DENY"
    assert "onclick" not in page.text


@pytest.mark.parametrize(
    ("name", "path"), [("olivia", "/a/acme/recipients/99/"), ("stranger", "/a/acme/log/")]
)
def test_htmx_gets_no_whole_page_for_what_is_not_there(
    name: str, path: str, request: pytest.FixtureRequest, account: Account, client_of: ClientOf
) -> None:
    part = client_of(request.getfixturevalue(name)).get(path, headers={"HX-Request": "true"})
    assert part.status_code == 404
    assert "does not exist, was deleted, or belongs to" in part.text
    assert 'role="alert"' in part.text
    assert "<html" not in part.text


def test_htmx_gets_no_whole_page_for_a_form_without_its_token(account: Account, olivia: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(olivia)
    part = client.post("/a/acme/members/", headers={"HX-Request": "true"})
    assert part.status_code == 403
    assert "Nothing was changed." in part.text
    assert "<html" not in part.text
