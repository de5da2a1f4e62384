"""The front door: which app answers which address."""

from __future__ import annotations

from django.contrib import admin
from django.http import Http404
from django.urls import URLPattern, URLResolver, include, path
from django.views.defaults import page_not_found

from backupsvc import health

handler400 = "recipients.views.pasting.not_read"

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.live, name="health-live"),
    path("readyz", health.ready, name="health-ready"),
    # allauth would let anybody take an address there that nobody has shown to be theirs.
    path("accounts/email/", page_not_found, {"exception": Http404()}),
    path("accounts/", include("allauth.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin/", admin.site.urls),
    path("", include("backupsvc.accounts.urls")),
    path("a/<slug:slug>/", include("recipients.urls")),
    path("a/<slug:slug>/", include("backups.urls")),
]
