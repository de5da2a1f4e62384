"""The engine's contract on a table that is partitioned as docs/scaling.md says."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db import connection

from recipients.bulk.engine import engine
from recipients.models import Group, Recipient
from tests.recipients.bulk.test_merge_contract import *  # noqa: F403  # the same tests, on another ground
from tests.recipients.bulk.test_merge_contract import KEYS, REFORM, START, plan, stage

pytestmark = pytest.mark.postgres
DOCUMENT = Path(__file__).parents[3] / "docs" / "scaling.md"
# By what it is partitioned, and how the documented statements change for it.
BY_LIST: dict[str, str] = {}
BY_ACCOUNT = {
    "HASH (group_id)": "HASH (account_id)",
    "PRIMARY KEY (group_id, id)": "PRIMARY KEY (account_id, id)",
    "UNIQUE (group_id, key)": "UNIQUE (account_id, group_id, key)",
    "CREATE INDEX recipient_by_id": "CREATE INDEX by_list ON recipients_recipient (group_id, key);\n"
    "CREATE INDEX recipient_by_id",
}


@pytest.fixture(autouse=True, params=[BY_LIST, BY_ACCOUNT], ids=["by list", "by account"])
def partitioned(db: None, request: pytest.FixtureRequest) -> dict[str, str]:
    """The table as the document's statements leave it, for the length of a test."""
    statements = DOCUMENT.read_text(encoding="utf-8").split("```sql\n")[1].split("```")[0]
    # The test has a transaction of its own, which takes everything back.
    statements = statements.replace("BEGIN;\n", "", 1).replace("COMMIT;\n", "", 1)
    changes: dict[str, str] = request.param
    for documented, other in changes.items():
        assert documented in statements
        statements = statements.replace(documented, other)
    with connection.cursor() as cursor:
        cursor.execute(statements)
    return changes


def test_the_table_has_sixteen_parts() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_partition_tree('recipients_recipient') WHERE isleaf")
        assert cursor.fetchone() == (16,)


def test_a_statement_about_a_list_looks_at_one_part(group: Group, partitioned: dict[str, str]) -> None:
    looked_at = Recipient.objects.filter(group=group).order_by("key").explain()
    # The list alone does not say in which part its account is.
    assert looked_at.count(" on recipients_") == (16 if partitioned is BY_ACCOUNT else 1)


def test_every_way_of_adding_somebody_takes_the_next_id(group: Group) -> None:
    first = Recipient.objects.create(account=group.account, group=group, key=KEYS[0], email=KEYS[0])
    engine().stage(7, rows=[stage(KEYS[1], line=2, activated=START, says_status=True)])
    engine().merge(plan(group, REFORM))
    second = Recipient.objects.get(group=group, key=KEYS[1])
    assert second.pk > first.pk
