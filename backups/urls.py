"""Addresses of backups, inside an account."""

from __future__ import annotations

from django.urls import path

from backups.views import comparing, downloading, keeping, listing, reading, restoring

app_name = "backups"
urlpatterns = [
    path("backups/", listing.backups, name="list"),
    path("extras/backups/", listing.extras, name="extras"),
    path("backups/make/<int:group_id>/", keeping.make, name="make"),
    path("backups/make/field/<int:attribute_id>/", keeping.make_before, name="make-before"),
    # One backup
    path("backups/<int:snapshot_id>/", reading.show, name="show"),
    path("backups/<int:snapshot_id>/row/", listing.row, name="row"),
    path("backups/<int:snapshot_id>/compare/", comparing.compare, name="compare"),
    path("backups/<int:snapshot_id>/restore/", restoring.restore, name="restore"),
    path("backups/<int:snapshot_id>/download/<slug:kind>/", downloading.download, name="download"),
    path("backups/<int:snapshot_id>/pin/", keeping.pin, name="pin"),
    path("backups/<int:snapshot_id>/unpin/", keeping.unpin, name="unpin"),
    path("backups/<int:snapshot_id>/verify/", keeping.verify, name="verify"),
    path("backups/<int:snapshot_id>/delete/", keeping.delete, name="delete"),
]
