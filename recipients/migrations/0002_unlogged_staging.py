from __future__ import annotations

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def unlog(_apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Staged rows lost in a crash are made again from the upload: no need to log them."""
    if editor.connection.vendor == "postgresql":
        editor.execute("ALTER TABLE recipients_stagedrow SET UNLOGGED")


class Migration(migrations.Migration):
    dependencies = [("recipients", "0001_initial")]
    operations = [migrations.RunPython(unlog, migrations.RunPython.noop)]
