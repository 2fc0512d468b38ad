import pytest

from tests.support.workers.processes import Workers


@pytest.fixture
def workers(module_workers: Workers) -> Workers:
    """The module's own, with nothing left of the test before."""
    module_workers.queue.clear()
    module_workers.book.clear()
    return module_workers
