"""What must always hold, checked on the real data. Reads only; `manage.py fsck` prints it.

I1 to I13 are the invariants of the reliability tests; those above them belong to our own bookkeeping.
"""

from __future__ import annotations

from backups.invariants import archives, ledger, lists, log, work
from backups.invariants.finding import Finding, Invariant

INVARIANTS = (
    # No row is lost: what went is in a verified backup, or the ledger says where that went.
    Invariant("I1", archives.changes_have_their_backup),
    # Complete means restorable: the file is there, whole, and holds what its row says.
    Invariant("I2", archives.complete_means_restorable, reads_files=True),
    Invariant("I2", archives.prepared_archives_are_whole, reads_files=True),
    # What is encrypted can be opened.
    Invariant("I2", archives.keys_open, reads_files=True),
    # Every file belongs to a backup.
    Invariant("I3", archives.files_belong_to_backups, reads_files=True),
    # A change is all or nothing.
    Invariant("I4", work.stopped_changes_touched_nothing),
    # All work comes to an end.
    Invariant("I5", work.jobs_come_to_an_end),
    Invariant("I5", work.waits_come_to_an_end),
    Invariant("I5", work.changes_have_their_job),
    Invariant("I5", archives.written_backups_have_their_job),
    # One effect per change.
    Invariant("I6", work.work_is_done_once),
    # Every row that was read is accounted for.
    Invariant("I7", work.rows_add_up),
    # Nothing crosses an account's border.
    Invariant("I8", lists.rows_stay_in_their_account),
    Invariant("I8", archives.backups_stay_in_their_account),
    # Nothing is purged early, nothing lives on when it is due.
    Invariant("I9", ledger.purged_in_time),
    Invariant("I9", ledger.purge_is_going),
    # What went is in the ledger as in the log, and really gone.
    Invariant("I9", ledger.ledger_is_true),
    Invariant("I9", ledger.what_went_is_gone, reads_files=True),
    Invariant("I9", archives.keys_go_with_their_backups),
    # Nothing temporary stays.
    Invariant("I10", work.nothing_temporary_stays),
    Invariant("I10", work.no_upload_stays, reads_files=True),
    Invariant("I10", archives.prepared_archives_go),
    # The log is as it was written, and has an entry for each change and each backup.
    Invariant("I11", log.log_is_as_it_was_written, reads_files=True),
    Invariant("I11", work.changes_are_in_the_log),
    Invariant("I11", archives.backups_are_in_the_log),
    # A hidden list is on its way somewhere.
    Invariant("I12", lists.hidden_lists_have_a_deletion),
    # Erased people are nowhere.
    Invariant("I13", lists.erased_people_are_in_no_list),
    Invariant("I13", archives.erased_people_are_in_no_backup, reads_files=True),
    # The counts kept on a list are those of its rows.
    Invariant("I14", lists.counts_are_right),
    # An address is once in a list.
    Invariant("I15", lists.addresses_are_there_once),
    # Every account has an owner who can sign in.
    Invariant("I16", lists.accounts_have_an_owner),
)


def check_all() -> list[Finding]:
    """Run every check; all findings, in the order of the invariants."""
    return [finding for invariant in INVARIANTS for finding in invariant.findings()]


def names() -> list[str]:
    """The names of all invariants, each once."""
    return list(dict.fromkeys(invariant.name for invariant in INVARIANTS))
