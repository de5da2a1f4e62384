"""A process is killed at any point of any change: nothing is lost, and nothing stays half done."""

from __future__ import annotations

import pytest

from tests.crashes.conftest import HarnessOf
from tests.crashes.scenarios import SCENARIOS, Scenario

each = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)


@each
def test_nothing_is_lost_at_any_point(harness_of: HarnessOf, scenario: Scenario) -> None:
    assert harness_of(scenario).every_point() > 0
