from collections.abc import Iterator

import pytest
import time_machine

from tests.builders import NOW
from tests.support.api_client import ApiClient


@pytest.fixture(autouse=True)
def _six_o_clock() -> Iterator[None]:
    """The API reads the clock; here it stands still, on the builders' day."""
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def api(db: None) -> ApiClient:
    """A client whose key has every scope."""
    return ApiClient()
