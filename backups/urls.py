"""Addresses of backups, inside an account."""

from __future__ import annotations

from django.urls import path
from django.views.generic import RedirectView

app_name = "backups"
urlpatterns = [
    path("backups/", RedirectView.as_view(pattern_name="accounts:log"), name="list"),
    path("extras/backups/", RedirectView.as_view(pattern_name="accounts:log"), name="extras"),
]
