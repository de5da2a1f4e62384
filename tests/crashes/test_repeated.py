"""The same with every message delivered twice: repeats are harmless."""

from __future__ import annotations

import pytest

from tests.crashes.conftest import HarnessOf
from tests.crashes.scenarios import SCENARIOS, Scenario

each = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)


@each
def test_nothing_is_lost_or_done_twice_at_any_point(harness_of: HarnessOf, scenario: Scenario) -> None:
    assert harness_of(scenario, delivered=2).every_point() > 0
