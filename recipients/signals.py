"""What the recipients app tells others. Sent inside the transaction; receivers may raise to stop it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.dispatch import Signal

# Provides: change (Change, being confirmed), job (the Job that will apply it), after (list of Job:
# those of the group's changes before this one). Sent with `send`: a receiver's refusal stops the change.
change_requested = Signal()

# Provides: change (Change), whose source is there, or whose rows are about to be read: sent for both, for the
# list may have moved between them. Nobody has confirmed it yet, and perhaps nobody ever will.
change_foreseen = Signal()

# Provides: group (Group), change (Change). The rows of a deleted group are about to be removed for good; a
# receiver that knows of no sound copy raises a Refusal, and the rows stay.
rows_about_to_go = Signal()


@dataclass(frozen=True)
class Copy:
    """The newest sound backup of a list. `is_current`: the list is still as it was then.

    `is_coming`: another one is being made right now. `made_at` is None while there is none yet.
    """

    made_at: datetime | None
    is_current: bool
    is_coming: bool


# Provides: account (Account). Asked before values are lost: whoever keeps copies of the live lists answers
# with a dict from a list's id to its Copy. A list that is not in it has none.
copies_asked = Signal()
