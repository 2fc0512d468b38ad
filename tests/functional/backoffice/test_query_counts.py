import datetime
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.tax_rates import create_tax_rate
from backoffice.account_page import tables_of
from backoffice.models import User
from backoffice.tables import MAX_ROWS
from payments.models import Payment
from subscriptions.agreed_terms import TermsChanges
from subscriptions.pauses import pause_account
from subscriptions.terms_changes import change_terms
from tests.builders import NOW, TODAY, a_plan, an_account, at, billed
from tests.functional.backoffice.action_requests import path_of, performed, previewed
from tests.functional.backoffice.conftest import LISTS, Billed, page
from tests.support.databases import rolled_back
from tests.support.refunds import refunded

pytestmark = rolled_back


class TestStatements:
    """Lists and pages take as many SQL statements for many rows as for few."""

    @pytest.mark.parametrize("path", [path for path in LISTS if path not in ("accounts/plan", "api/apikey")])
    def test_of_a_list(self, support: Client, path: str) -> None:
        def bill(month: int) -> None:
            for _ in range(4):
                an_account(plan=gold, external_reference=None)
            billed(as_of=datetime.date(2026, month, 1))
            for payment in Payment.objects.filter(refunded_minor=0):
                refunded(payment, 100)

        gold = a_plan(code="gold")
        bill(1)
        page(support, f"{path}/")  # which kinds of rows there are is asked once in a process
        few = statements(lambda: page(support, f"{path}/"))
        bill(2)
        assert statements(lambda: page(support, f"{path}/")) == few

    def test_of_an_accounts_page(self, support: Client, billed_account: Billed) -> None:
        path = f"accounts/account/{billed_account.account.id}/change/"
        page(support, path)  # which kinds of rows there are is asked once in a process
        few = statements(lambda: page(support, path))
        for month in range(2, 7):
            billed(as_of=datetime.date(2026, month, 1))

        assert billed_account.account.rebillings.count() == 6
        assert statements(lambda: page(support, path)) == few

    def test_of_an_accounts_page_are_bounded(self, billed_account: Billed) -> None:
        with CaptureQueriesContext(connection) as found:
            tables_of(billed_account.account)
        assert len(found) == 10
        assert all(query["sql"].endswith(f"LIMIT {MAX_ROWS + 1}") for query in found)

    def test_of_a_preview(self, operator: Client, billed_account: Billed) -> None:
        def preview() -> None:
            assert previewed(operator, path_of(billed_account.account, "close"), {"reason": "left", "when": "now"})

        preview()
        few = statements(preview)
        for month in range(2, 7):
            billed(as_of=datetime.date(2026, month, 1))
        assert statements(preview) == few

    @pytest.mark.parametrize(
        ("action", "said"),
        [("take-back", {"reason": "stays", "change": "pause"}), ("withdraw-terms", {"reason": "stays"})],
    )
    def test_of_a_preview_of_what_is_pending(
        self, operator: Client, billed_account: Billed, action: str, said: dict[str, str]
    ) -> None:
        account, path = billed_account.account, path_of(billed_account.account, action)

        def shown(month: int) -> int:
            """In the middle of a month that is billed; what was pending is then taken back."""
            day = datetime.date(2026, month, 1)
            billed(as_of=day)
            signed: dict[str, Any] = {"reason": "r", "author": "test", "today": day, "now": at(day)}
            with time_machine.travel(at(day), tick=False):
                operator.force_login(User.objects.get(username="olga"))  # a session of last month is over
                if action == "take-back":
                    pause_account(account_id=account.id, at="period_end", until=None, **signed)
                else:
                    changes = TermsChanges(quantity=2)
                    change_terms(account_id=account.id, changes=changes, effective="period_end", **signed)
                previewed(operator, path, said)
                found = statements(lambda: previewed(operator, path, said))
                assert performed(operator, path, said).status_code == 302
            return found

        assert len({shown(month) for month in range(2, 7)}) == 1

    def test_of_the_form_that_opens_an_account_and_of_its_preview(self, operator: Client) -> None:
        path, a_plan_of_it = "/admin/accounts/account/add/", a_plan(code="gold")
        said = {
            "name": "Ada",
            "email": "ada@example.com",
            "plan": "gold",
            "quantity": "2",
            "billing": "now",
            "collection_method": "automatic",
            "net_days": "30",
            "on_decline": "dun",
            "percent": "5",
            "reason": "r",
            "submission": str(uuid.UUID(int=7)),
        }

        def both() -> list[int]:
            return [statements(lambda: operator.get(path)), statements(lambda: previewed(operator, path, said))]

        create_tax_rate(name="VAT", percent=Decimal(20), now=NOW)
        both()  # which kinds of rows there are is asked once in a process
        few = both()
        for number in range(1, 6):
            create_tax_rate(name="VAT", percent=Decimal(number), now=NOW)
            a_plan(trial_days=number)
            an_account(plan=a_plan_of_it)
        billed(as_of=TODAY)
        assert both() == few

    def test_of_an_invoices_page(self, support: Client) -> None:
        def shown(months: int) -> int:
            """With a line, a refund and a credit note for each month."""
            start = datetime.date(2025, 13 - months, 1)
            account = an_account(plan=a_plan(), anchor_date=start, rebilling_date=start)
            billed(as_of=datetime.date(2025, 12, 31))
            invoice = account.invoices.get()
            assert invoice.lines.count() == months
            payment = invoice.payments.get()
            for _ in range(months):
                refunded(payment, 100)
            path = f"invoices/invoice/{invoice.id}/change/"
            page(support, path)
            return statements(lambda: page(support, path))

        assert shown(1) == shown(6)


def statements(work: Callable[[], object]) -> int:
    with CaptureQueriesContext(connection) as found:
        work()
    return len(found)
