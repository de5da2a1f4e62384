"""The machine stops at any point: what was not synced is lost, and no list misses it."""

from __future__ import annotations

import pytest

from recipients.models import Mode
from tests.crashes.conftest import HarnessOf
from tests.crashes.scenarios import SCENARIOS, Scenario

# The modes of an import differ in statements alone, which no disk forgets.
LIKE_ANOTHER = {f"confirmed import, {mode}" for mode in Mode}
WHOLE = [scenario for scenario in SCENARIOS if scenario.name not in LIKE_ANOTHER]
each = pytest.mark.parametrize("scenario", WHOLE, ids=lambda scenario: scenario.name)


@each
def test_nothing_is_lost_when_the_power_fails_at_any_point(harness_of: HarnessOf, scenario: Scenario) -> None:
    assert harness_of(scenario).every_point(power=True) > 0
