import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import backupsvc.accounts.models
from backupsvc.accounts import chain


def sign_what_is_there(apps, schema_editor):
    """Entries from before there were signatures get theirs now; the next sealing gives them their places."""
    entries = apps.get_model('accounts', 'AuditEntry').objects.using(schema_editor.connection.alias)
    for entry in entries.order_by('pk').iterator():
        salt = backupsvc.accounts.models.new_salt()
        content = {name: salt if name == 'salt' else getattr(entry, name) for name in chain.SIGNED}
        key_id, signature = chain.sign(content)
        entries.filter(pk=entry.pk).update(salt=salt, key_id=key_id, signature=signature)


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='auditentry',
            name='salt',
            field=models.CharField(default='', editable=False, max_length=32),
        ),
        migrations.AddField(
            model_name='auditentry',
            name='key_id',
            field=models.CharField(default='', editable=False, max_length=8),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name='auditentry',
            name='signature',
            field=models.CharField(default='', editable=False, max_length=64),
            preserve_default=False,
        ),
        migrations.RunPython(sign_what_is_there, migrations.RunPython.noop),
        migrations.AlterField(
            model_name='auditentry',
            name='salt',
            field=models.CharField(default=backupsvc.accounts.models.new_salt, editable=False, max_length=32, unique=True),
        ),
        migrations.AlterField(
            model_name='auditentry',
            name='user',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.CreateModel(
            name='AuditSeal',
            fields=[
                ('position', models.BigIntegerField(primary_key=True, serialize=False)),
                ('sealed_at', models.DateTimeField()),
                ('key_id', models.CharField(max_length=8)),
                ('digest', models.CharField(max_length=64)),
                ('entry', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='seal', to='accounts.auditentry')),
            ],
            options={
                'ordering': ['position'],
            },
        ),
    ]
