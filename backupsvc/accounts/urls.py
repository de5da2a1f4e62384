"""Addresses of a person's own pages, of an account's settings and log, and of support."""

from __future__ import annotations

from django.urls import path

from backupsvc.accounts.views import home, log, members, privacy, profile, support

app_name = "accounts"
urlpatterns = [
    path("", home.home, name="home"),
    path("language/", home.choose_language, name="language"),
    path("profile/", profile.profile, name="profile"),
    path("support/", support.find, name="support"),
    # Inside an account
    path("a/<slug:slug>/", home.account, name="account"),
    path("a/<slug:slug>/log/", log.log, name="log"),
    path("a/<slug:slug>/settings/privacy/", privacy.privacy, name="privacy"),
    path("a/<slug:slug>/members/", members.members, name="members"),
    path("a/<slug:slug>/members/<int:member_id>/role/", members.change_role, name="member-role"),
    path("a/<slug:slug>/members/<int:member_id>/remove/", members.remove, name="member-remove"),
]
