"""Check everything that must always hold."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from backups.invariants import check_all, names
from backupsvc.accounts.management.operator_command import OperatorCommand, add_json


class Command(OperatorCommand):
    help = "Check every invariant on the real data; exit 1 when one is broken. Changes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the command line."""
        add_json(parser)

    def act(self, options: dict[str, Any]) -> bool:
        """Check, and say what is wrong and what to do."""
        findings = check_all()
        checked = names()
        lines = [
            f"{finding.invariant}  {finding.where}\n    {finding.what}\n    {finding.do}"
            for finding in findings
        ]
        broken = len({finding.invariant for finding in findings})
        outcome = f"{broken} are broken" if broken else "all hold"
        lines.append(f"{len(checked)} invariants were checked, {outcome}.")
        self.answer(
            {"ok": not findings, "checked": checked, "findings": [asdict(finding) for finding in findings]},
            people="\n".join(lines),
        )
        return not findings
