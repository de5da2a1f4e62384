from django.db import migrations

# As `recipients.bulk.staging` named them when this was written.
PREFIX = 'recipients_staging_'


def drop_tables(apps, schema_editor):
    """Take away what is staged for open changes in the form of earlier versions.

    A change whose rows are not there stages them anew before it is applied.
    """
    connection = schema_editor.connection
    with connection.cursor() as cursor:
        found = connection.introspection.get_table_list(cursor)
        # Views stand on tables: they go first.
        for kind, word in (('v', 'VIEW'), ('t', 'TABLE')):
            # What inherits from a table has a longer name, and goes before it.
            for name in sorted((info.name for info in found if info.type == kind), key=len, reverse=True):
                if name.startswith(PREFIX):
                    cursor.execute(f'DROP {word} {schema_editor.quote_name(name)}')


class Migration(migrations.Migration):

    dependencies = [
        ('recipients', '0006_changes_by_state'),
    ]

    operations = [
        migrations.RunPython(drop_tables, migrations.RunPython.noop),
    ]
