"""What the activity log has entries for."""

from __future__ import annotations

from backupsvc.accounts.models import AuditEntry


def logged(*events: str, of: str) -> set[int]:
    """The numbers that entries of these events name as `of`: changes, snapshots."""
    entries = AuditEntry.objects.filter(event__in=events).order_by()
    return {data[of] for data in entries.values_list("data", flat=True).iterator() if of in data}
