from typing import Any

import pytest


@pytest.fixture
def retries_far_ahead(settings: Any) -> None:
    """A charge that was declined stays as it is for as long as the test lasts."""
    settings.PAYMENT_RETRY_DAYS = [365]
