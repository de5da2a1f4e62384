"""Addresses of recipient lists, inside an account."""

from __future__ import annotations

from django.urls import path
from django.views.generic import RedirectView

app_name = "recipients"
urlpatterns = [path("recipients/", RedirectView.as_view(pattern_name="accounts:log"), name="groups")]
