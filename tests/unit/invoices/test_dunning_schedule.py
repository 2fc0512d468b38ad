"""Dunning's days: how long after the step before the next one comes."""

import datetime
from typing import Any

import pytest
from django.core.checks import run_checks
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from invoices.dunning_schedule import days_to_step

schedules = st.lists(st.integers(1, 400), unique=True, max_size=8).map(sorted)


class TestDaysToStep:
    def test_are_the_gaps_of_the_schedule(self, settings: Any) -> None:
        settings.DUNNING_DAYS = [1, 3, 5, 7]
        assert [days_to_step(step) for step in range(6)] == [1, 2, 2, 2, None, None]

    def test_of_an_empty_schedule_are_none(self, settings: Any) -> None:
        settings.DUNNING_DAYS = []
        assert [days_to_step(step) for step in range(2)] == [None, None]

    @hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(days=schedules)
    def test_taken_one_after_the_other_come_on_the_days_of_the_schedule(self, settings: Any, days: list[int]) -> None:
        settings.DUNNING_DAYS = days
        first = datetime.date(2026, 1, 1)
        on, step, found = first, 0, []
        while (gap := days_to_step(step)) is not None:
            on, step = on + datetime.timedelta(days=gap), step + 1
            found.append((on - first).days)
        assert found == days


class TestSchedule:
    @pytest.mark.parametrize("days", [[], [3, 1], [0, 1], [1, 1]])
    def test_must_hold_a_day_and_ascend(self, settings: Any, days: list[int]) -> None:
        settings.DUNNING_DAYS = days
        assert [error.id for error in run_checks()] == ["payments.E002"]

    @pytest.mark.parametrize("days", [[1], [1, 3, 5, 7]])
    def test_that_ascends_is_accepted(self, settings: Any, days: list[int]) -> None:
        settings.DUNNING_DAYS = days
        assert run_checks() == []
