"""Expected refusals, apart from bugs. Pure Python: every floor may raise one."""

from __future__ import annotations

from collections.abc import Mapping


class Refusal(Exception):
    """Something that may happen and that a person can understand and mend.

    `code` is a stable dotted name ("file.empty"); `params` are plain JSON values for the text that
    `backupsvc.wording` keeps for the code. Bugs are never a Refusal: they stay loud.
    """

    def __init__(self, code: str, **params: object) -> None:
        super().__init__(code, params)
        self.code = code
        self.params: Mapping[str, object] = params

    def __str__(self) -> str:
        details = ", ".join(f"{name}={value!r}" for name, value in self.params.items())
        return f"{self.code} ({details})" if details else self.code


class NotFound(Refusal):
    """Not there, or not yours: the two are told apart by nobody."""


class Forbidden(Refusal):
    """Yours to see, not yours to do."""


class Unavailable(Refusal):
    """What the work needs is away just now, storage or a key: nothing is wrong with what was asked."""
