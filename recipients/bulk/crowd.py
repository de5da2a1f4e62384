"""Whether others want the database too: an import then leaves a core to them.

The processes of the database run at one priority, whoever they work for. On a machine of two cores an
import that takes both lets pages wait for nearly a second; one that takes a single core is hardly felt.
"""

from __future__ import annotations

import os

from django.db import connection

# Those of the worker's machine, which stands for the database's.
CORES = os.cpu_count() or 1
# An import with all that is its own (the person who waits for it, a backup beside it, the clock) was seen to
# use four or five; people who ask for twenty pages a second, more than a dozen.
MOST = 3 * CORES

# Only what runs as the same user shows what it does: just our own web servers and workers count.
OTHERS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
        AND (state = 'active' OR state_change > clock_timestamp() - interval '1 second')
"""


def is_crowded() -> bool:
    """Whether more than a few connections to this database were used within the last second (PostgreSQL)."""
    with connection.cursor() as cursor:
        cursor.execute(OTHERS)
        found = cursor.fetchone()
    return bool(found and found[0] > MOST)
