from collections.abc import Iterator

import pytest
import time_machine
from pytest_django import DjangoCaptureOnCommitCallbacks

from tests.builders import NOW
from tests.support.api_client import ApiClient
from tests.support.platform_days import PlatformDays, platform_days


@pytest.fixture(autouse=True)
def _six_o_clock() -> Iterator[None]:
    """The API reads the clock; here it stands still, on the builders' day."""
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def api(db: None) -> ApiClient:
    """A client whose key has every scope."""
    return ApiClient()


@pytest.fixture
def days(
    db: None,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> Iterator[PlatformDays]:
    """The platform from the builders' day on."""
    with platform_days(monkeypatch, django_capture_on_commit_callbacks) as days:
        yield days
