"""Who was invited chose the password by a mailed link: their address is proven.

Taken for invited is who was made by the first invitation of the address. Addresses that people added
themselves prove nothing and serve nothing.
"""

from datetime import timedelta

from django.db import migrations
from django.db.models import F, Min

# Between making a user and logging the invitation, in one transaction.
AT_ONCE = timedelta(minutes=1)


def prove_addresses(apps, schema_editor):
    addresses = apps.get_model("account", "EmailAddress").objects
    invited = dict(
        apps.get_model("accounts", "AuditEntry")
        .objects.filter(event="member.added")
        .order_by()
        .values_list("target")
        .annotate(first=Min("at"))
    )
    addresses.filter(verified=False).exclude(email=F("user__email")).delete()
    proven = [
        address.pk
        for address in addresses.filter(verified=False).select_related("user")
        if address.email in invited
        and abs(invited[address.email] - address.user.date_joined) < AT_ONCE
        # Unusable ones, of those who have not come yet, begin so.
        and not address.user.password.startswith("!")
    ]
    addresses.filter(pk__in=proven).update(verified=True)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_entries_of_no_account"),
        ("account", "0009_emailaddress_unique_primary_email"),
    ]

    operations = [migrations.RunPython(prove_addresses, migrations.RunPython.noop)]
