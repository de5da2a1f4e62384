"""The process that takes up the work is killed as well: pairs of points, drawn by lot."""

from __future__ import annotations

import random

import pytest

from tests.crashes.conftest import HarnessOf
from tests.crashes.scenarios import SCENARIOS, Scenario

each = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)

PAIRS = 5
FURTHEST = 45


@each
def test_nothing_is_lost_at_two_points_in_a_row(harness_of: HarnessOf, scenario: Scenario) -> None:
    lot = random.Random(scenario.name)
    harness = harness_of(scenario)
    for _ in range(PAIRS):
        harness.once(die_at=lot.randint(1, FURTHEST), then_at=lot.randint(1, FURTHEST))
