"""Whether a change gets a backup, and why. Pure: plain values in, a decision out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Switches:
    """The switches as they stand when the change is confirmed; flipping one later concerns later changes."""

    account: bool
    group: bool
    api: bool


@dataclass(frozen=True)
class Decision:
    """`why` is stored with the change: new_list, restore, asked, declined, api, api_off, account_off,
    group_off, on.
    """

    wanted: bool
    why: str


def decide(
    *, switches: Switches, origin: str, kind: str, asked: bool | None = None, is_new: bool = False
) -> Decision:
    """The rule of the product: account and group both on = backed up; the API only where opted in.

    A list made by the change itself has nothing to keep. A restore is always backed up, so that it can be
    undone. Otherwise a person's own wish comes first (None: none).
    """
    if is_new:
        return Decision(False, "new_list")
    if kind == "restore":
        return Decision(True, "restore")
    if asked is not None:
        return Decision(asked, "asked" if asked else "declined")
    if origin == "api" and not switches.api:
        return Decision(False, "api_off")
    if not switches.account:
        return Decision(False, "account_off")
    if not switches.group:
        return Decision(False, "group_off")
    return Decision(True, "api" if origin == "api" else "on")
