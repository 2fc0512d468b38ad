"""Marks for tests that use the database."""

import pytest

rolled_back = pytest.mark.django_db
"""The test runs in a transaction that is undone at its end."""

committed = pytest.mark.django_db(
    transaction=True,
    # The owner flushes what the application's role may not delete; tables of other apps keep what migrations put there.
    databases=["default", "owner"],
    available_apps=["accounts", "ledger", "invoices", "payments", "rebilling", "api"],
)
"""The test commits, as other connections and processes must see it; the domain's tables are emptied at its end."""
