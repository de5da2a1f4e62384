"""Addresses of recipient lists, inside an account."""

from __future__ import annotations

from django.urls import path

from recipients import import_urls
from recipients.views import deletion, downloading, group_settings, groups, new_group, people

app_name = "recipients"
urlpatterns = [
    path("recipients/", groups.groups, name="groups"),
    path("recipients/new/", new_group.create, name="group-new"),
    *import_urls.urlpatterns,
    # One list
    path("recipients/<int:group_id>/", groups.group, name="group-show"),
    path("recipients/<int:group_id>/changes/", groups.changes, name="group-changes"),
    path("recipients/<int:group_id>/download/<slug:kind>/", downloading.download, name="group-download"),
    path("recipients/<int:group_id>/delete/", deletion.delete, name="group-delete"),
    path("recipients/changes/<int:deletion_id>/undo-deletion/", deletion.undo, name="deletion-undo"),
    # Its settings
    path("recipients/<int:group_id>/settings/", group_settings.general, name="group-settings"),
    path("recipients/<int:group_id>/settings/fields/", group_settings.fields, name="group-fields"),
    path(
        "recipients/<int:group_id>/settings/fields/<int:attribute_id>/delete/",
        group_settings.field_delete,
        name="field-delete",
    ),
    path("recipients/<int:group_id>/settings/blocklist/", group_settings.blocklist, name="group-blocklist"),
    path(
        "recipients/<int:group_id>/settings/blocklist/<int:entry_id>/remove/",
        group_settings.blocklist_remove,
        name="blocklist-remove",
    ),
    path(
        "recipients/<int:group_id>/settings/blocklist/<int:entry_id>/put-back/",
        group_settings.blocklist_put_back,
        name="blocklist-put-back",
    ),
    # Its recipients
    path("recipients/<int:group_id>/people/add/", people.add, name="recipient-add"),
    path("recipients/<int:group_id>/people/<int:recipient_id>/", people.show, name="recipient-show"),
    path("recipients/<int:group_id>/people/<int:recipient_id>/edit/", people.edit, name="recipient-edit"),
    path(
        "recipients/<int:group_id>/people/<int:recipient_id>/unsubscribe/",
        people.stop,
        name="recipient-unsubscribe",
    ),
    path(
        "recipients/<int:group_id>/people/<int:recipient_id>/reactivate/",
        people.resume,
        name="recipient-reactivate",
    ),
    path(
        "recipients/<int:group_id>/people/<int:recipient_id>/remove/", people.remove, name="recipient-remove"
    ),
]
