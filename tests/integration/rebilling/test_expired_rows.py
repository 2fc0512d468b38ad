"""Rows that nobody needs any more are deleted by the hourly check."""

import datetime

from django.contrib.sessions.models import Session
from django.utils import timezone

from api.models import RequestCount
from rebilling.hourly_check import check_hourly
from tests.builders import NOW
from tests.support.databases import rolled_back

HOUR = datetime.timedelta(hours=1)
MOMENT = datetime.timedelta(microseconds=1)


@rolled_back
class TestExpiredRows:
    def test_are_deleted_and_no_others(self) -> None:
        now = timezone.now()
        for name, at in (("over", now - MOMENT), ("going-on", now + HOUR)):
            Session.objects.create(session_key=name, session_data="", expire_date=at)
        for name, at in (("old", NOW - HOUR - MOMENT), ("recent", NOW - HOUR)):
            RequestCount.objects.create(subject=name, window_start=at, requests=1)
        assert check_hourly(queue=None, now=NOW).failed == []
        assert list(Session.objects.values_list("session_key", flat=True)) == ["going-on"]
        assert list(RequestCount.objects.values_list("subject", flat=True)) == ["recent"]
