"""Addresses of the import wizard, and of any change that runs."""

from __future__ import annotations

from django.urls import path

from recipients.views import changes, imports

urlpatterns = [
    path("recipients/import/", imports.upload, name="import-new"),
    path("recipients/import/<int:change_id>/read/", imports.reading, name="import-read"),
    path("recipients/import/<int:change_id>/map/", imports.columns, name="import-map"),
    path("recipients/import/<int:change_id>/mode/", imports.merging, name="import-mode"),
    # Any change: an import, a restore, a deletion
    path("recipients/changes/<int:change_id>/preview/", changes.preview, name="change-preview"),
    path("recipients/changes/<int:change_id>/confirm/", changes.confirm, name="change-confirm"),
    path("recipients/changes/<int:change_id>/progress/", changes.progress, name="change-progress"),
    path("recipients/changes/<int:change_id>/result/", changes.result, name="change-result"),
    path("recipients/changes/<int:change_id>/cancel/", changes.cancel, name="change-cancel"),
    path("recipients/changes/<int:change_id>/retry/", changes.retry, name="change-retry"),
    path("recipients/changes/<int:change_id>/rejected/", changes.rejected, name="change-rejected"),
]
