"""Gives the tests a PostgreSQL of their own, before Django's settings load; they run as the application's role.

That is why the settings module is named here and not in pyproject.toml: pytest-django would load it too early.
"""

import io
import os
from collections.abc import Iterator
from pathlib import Path

import django
import pytest
from pytest_django import DjangoDbBlocker

# So that a failing assertion in them is explained as in a test.
pytest.register_assert_rewrite(
    "tests.faults.mixed_batch",
    "tests.functional.people_machine",
    "tests.functional.platform_machine",
    "tests.functional.transaction_machine",
    "tests.support.soundness",
    "tests.soak.dunning_checks",
    "tests.soak.final_checks",
    "tests.soak.subscriber_checks",
)

ROOT = Path(__file__).resolve().parent.parent

os.environ["DJANGO_SETTINGS_MODULE"] = "billing_site.settings"
os.environ["SECRET_KEY"] = "tests-only"
os.environ["SECURE"] = "false"
os.environ["ALLOWED_HOSTS"] = "testserver,127.0.0.1,localhost"
if "DATABASE_URL" not in os.environ:
    from localcloud.postgres.embedded import attach

    # Another folder lets two runs of the same clone go on at once.
    attach(data=Path(os.environ.get("BILLING_TEST_DATA", ROOT / ".local-test")), durable=False)
django.setup()

WHOLLY_COVERED = [
    "ledger/*",
    "invoices/*",
    "rebilling/invoice_periods.py",
    "rebilling/period_decisions.py",
    "rebilling/worker.py",
    "payments/answer_checks.py",
    "payments/leases.py",
    "payments/send_to_gateway.py",
    "payments/outcomes.py",
    "payments/outcome_bisection.py",
    "payments/payment_outcomes.py",
    "payments/refund_outcomes.py",
]
"""Where money is decided: every line and branch is run by some test. Held whenever coverage is measured."""


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a measured run that leaves something of `WHOLLY_COVERED` out; before the summary, which stays last. One that
    was interrupted measured nothing.
    """
    if not session.config.getoption("cov_source", None) or hasattr(session.config, "workerinput"):
        return
    if session.exitstatus == pytest.ExitCode.INTERRUPTED:
        return
    import coverage

    measured = coverage.Coverage()
    measured.load()
    report = io.StringIO()
    if measured.report(include=WHOLLY_COVERED, skip_covered=True, show_missing=True, file=report) < 100:
        terminal = session.config.pluginmanager.getplugin("terminalreporter")
        terminal.write_line(f"\nNot wholly covered, and must be:\n{report.getvalue()}")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None, django_db_modify_db_settings: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[None]:
    """One test database, made by the owner: pytest-django would make only what tests name, and most name one role."""
    from django.db import connections
    from django.test.utils import setup_databases, teardown_databases

    with django_db_blocker.unblock():
        made = setup_databases(verbosity=0, interactive=False)
    yield
    with django_db_blocker.unblock():
        # The owner can't drop the database while the application is connected to it.
        connections["default"].close()
        teardown_databases(made, verbosity=0)


@pytest.fixture(autouse=True)
def _truncate_lifted_for_the_flush(request: pytest.FixtureRequest) -> Iterator[None]:
    """Tests that commit end with TRUNCATE, which the ledger refuses: as the owner, lift that trigger for the flush."""
    marker = request.node.get_closest_marker("django_db")
    if marker is None or not marker.kwargs.get("transaction"):
        yield
        return
    # Asked for here, so that it is torn down, and flushes, after what follows the yield.
    request.getfixturevalue("transactional_db")
    _owner_executes("ALTER TABLE ledger_entry ENABLE ALWAYS TRIGGER ledger_entry_no_truncate")
    yield
    _owner_executes("ALTER TABLE ledger_entry DISABLE TRIGGER ledger_entry_no_truncate")


def _owner_executes(statement: str) -> None:
    from django.db import connections

    with connections["owner"].cursor() as cursor:
        cursor.execute(statement)
