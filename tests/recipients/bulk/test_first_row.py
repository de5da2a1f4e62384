"""Whether a list holds anybody is found in its index, however much of the table the list is."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from recipients.models import Recipient
from tests.fixtures.lists import Lists

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


def test_a_long_list_behind_another_is_not_looked_for_row_by_row(lists: Lists) -> None:
    people = [f"p{number:05}@example.com" for number in range(5_000)]
    for name in ("Before", "After"):
        group = lists.group("\n".join(["email", *people]), name=name)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE recipients_recipient")
    with CaptureQueriesContext(connection) as asked:
        lists.load("email,city\np00001@example.com,Bari\n", into=group)
    table = Recipient._meta.db_table
    looks = {
        query["sql"]
        for query in asked.captured_queries
        if table in query["sql"] and query["sql"].startswith("SELECT") and "LIMIT 1" in query["sql"]
    }
    assert looks
    for look in looks:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {look}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
        assert f"Seq Scan on {table}" not in plan, f"{look}\n{plan}"
