from django.db import migrations

# As `recipients.bulk.staging` named them when this was written.
PREFIX = 'recipients_staging_'
JUDGED = ('_judged_half', '_judged')


def drop_tables(apps, schema_editor):
    """Take away what earlier versions found for open changes: it does not say what recipients become.

    A change whose rows were not judged judges them before it is applied.
    """
    connection = schema_editor.connection
    with connection.cursor() as cursor:
        names = [info.name for info in connection.introspection.get_table_list(cursor)]
        # The halves stand on the tables: they go first.
        for ending in JUDGED:
            for name in names:
                if name.startswith(PREFIX) and name.endswith(ending):
                    cursor.execute(f'DROP TABLE {schema_editor.quote_name(name)}')


class Migration(migrations.Migration):

    dependencies = [
        ('recipients', '0007_staged_anew'),
    ]

    operations = [
        migrations.RunPython(drop_tables, migrations.RunPython.noop),
    ]
