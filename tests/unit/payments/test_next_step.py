"""Which call to the gateway comes next, at the boundaries of the time that a key is kept."""

import datetime

import pytest

from payments.next_step import Step, next_step

FIRST_CALLED_AT = datetime.datetime(2026, 1, 1, 6, 0, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
INSTANT = datetime.timedelta(microseconds=1)


class TestNextStep:
    @pytest.mark.parametrize(
        ("after", "submitted", "unknown"),
        [
            (datetime.timedelta(0), Step.SUBMIT, Step.LOOK_UP_THEN_SUBMIT),
            (23 * HOUR - INSTANT, Step.SUBMIT, Step.LOOK_UP_THEN_SUBMIT),
            (23 * HOUR, Step.LOOK_UP, Step.LOOK_UP),
            (24 * HOUR - INSTANT, Step.LOOK_UP, Step.LOOK_UP),
            (24 * HOUR, Step.LOOK_UP_THEN_GIVE_UP, Step.LOOK_UP_THEN_GIVE_UP),
            (1000 * HOUR, Step.LOOK_UP_THEN_GIVE_UP, Step.LOOK_UP_THEN_GIVE_UP),
        ],
        ids=str,
    )
    def test_follows_the_time_since_the_first_call(
        self, after: datetime.timedelta, submitted: Step, unknown: Step
    ) -> None:
        now = FIRST_CALLED_AT + after
        assert next_step(first_called_at=FIRST_CALLED_AT, now=now, unknown=False) is submitted
        assert next_step(first_called_at=FIRST_CALLED_AT, now=now, unknown=True) is unknown

    def test_of_a_request_never_called_for_is_to_submit_it(self) -> None:
        assert next_step(first_called_at=None, now=FIRST_CALLED_AT, unknown=False) is Step.SUBMIT

    def test_before_the_first_call_by_a_slow_clock_is_to_submit_again(self) -> None:
        now = FIRST_CALLED_AT - HOUR
        assert next_step(first_called_at=FIRST_CALLED_AT, now=now, unknown=False) is Step.SUBMIT
