import datetime
import re
from typing import Any

import pytest
from django.apps import apps
from django.test import Client
from django.utils import timezone

from accounts.models import Plan
from accounts.terms import add_terms, terms_of
from backoffice.account_page import tables_of
from backoffice.tables import MAX_ROWS
from invoices.credits import grant_credit
from invoices.models import CreditNote
from invoices.write_offs import write_off_invoice
from rebilling.models import Rebilling
from rebilling.reconciliation.reconcile import reconcile
from subscriptions.agreed_terms import TermsChanges
from subscriptions.lifecycle import close_account
from subscriptions.terms_changes import change_terms
from tests.builders import NOW, TODAY, QueueInHand, a_plan, an_account, billed, swept
from tests.functional.backoffice.action_requests import path_of
from tests.functional.backoffice.conftest import Billed, Owing, an_api_key, page
from tests.support.databases import rolled_back
from tests.support.method_sessions import completed_session, opened_session
from tests.support.refunds import refunded

pytestmark = rolled_back

SORRY: dict[str, Any] = {"reason": "sorry", "author": "test", "today": TODAY, "now": NOW}


class TestPages:
    def test_the_index_names_every_subject(self, support: Client) -> None:
        content = page(support, "")

        for subject in (
            "Accounts",
            "Plans",
            "Invoices",
            "Credit notes",
            "Entries",
            "Payments",
            "Runs",
            "Billing periods",
        ):
            assert f">{subject}</a>" in content
        assert ">Users</a>" not in content

    def test_lists_show_amounts_in_their_currency(self, support: Client, billed_account: Billed) -> None:
        for path in (
            "accounts/plan/",
            "accounts/account/",
            "invoices/invoice/",
            "ledger/entry/",
            "payments/payment/",
            "rebilling/rebilling/",
        ):
            assert "1,999.00 USD" in page(support, path)

    def test_a_list_of_accounts_shows_what_each_owes_and_its_credit(self, support: Client, owing: Owing) -> None:
        yen = an_account(name="Yen", plan=a_plan(code="yen", currency="JPY", unit_amount_minor=5000), quantity=3)
        grant_credit(account_id=yen.id, amount_minor=700, **SORRY)

        content = page(support, "accounts/account/")

        for cell in (
            '<td class="field-outstanding">39.98 USD</td>',
            '<td class="field-credit">0.00 USD</td>',
            '<td class="field-price">15,000 JPY</td>',
            '<td class="field-outstanding">0 JPY</td>',
            '<td class="field-credit">700 JPY</td>',
        ):
            assert cell in content, cell
        for label in ("Plan", "Price per period", "Next billing date", "Outstanding", "Credit"):
            assert re.search(f">{label}<", content, re.IGNORECASE), label

    def test_an_account_shows_everything_about_it(self, support: Client, billed_account: Billed) -> None:
        refund = refunded(billed_account.payment, 100)
        content = page(support, f"accounts/account/{billed_account.account.id}/change/")

        for title in (
            *("Terms", "Invoices", "Billing periods", "Payments", "Refunds", "Payment method sessions"),
            *("Credit notes", "Ledger", "History"),
        ):
            assert f'<h2 class="fieldset-heading">{title}</h2>' in content
        for row in (
            billed_account.invoice,
            billed_account.rebilling,
            billed_account.payment,
            billed_account.charge,
            CreditNote.objects.get(),
            refund,
        ):
            assert path_of(row, "change") in content, row
        assert "1 Jan to 31 Jan 2026" in content
        assert "<td>status PENDING</td><td>status ACTIVE</td><td>its first invoice was paid</td>" in content
        assert "Close account" not in content  # not theirs to do

    def test_an_account_shows_its_payment_method_sessions_and_no_secret(self, support: Client) -> None:
        account = an_account()
        completed_session(account)
        session = opened_session(account)
        (shown,) = [table for table in tables_of(account) if table.title == "Payment method sessions"]
        at, by = "2026-01-01 06:00", "key:shop"
        assert shown.rows == [
            (at, "OPEN", "", "cus_new", "", "logging", "", by),
            (at, "COMPLETED", "", "cus_new", "pm_new", "logging", at, by),
        ]
        content = page(support, f"accounts/account/{account.id}/change/")
        assert "<td>COMPLETED</td>" in content
        assert session.client_secret not in content

    def test_an_account_says_at_the_top_where_it_stands(self, support: Client, owing: Owing) -> None:
        content = page(support, f"accounts/account/{owing.account.id}/change/")
        sentence = f"invoice {owing.january.number} of 19.99 USD was declined (card_declined)."
        assert f"<li>PAST_DUE since 1 Jan 2026: {sentence}</li>" in content
        assert content.index("Where it stands") < content.index("field-external_reference")

    def test_values_are_shown_as_they_are_stored_everywhere(self, support: Client, owing: Owing) -> None:
        for path in ("accounts/account/", f"accounts/account/{owing.account.id}/change/"):
            content = page(support, path)
            assert "PAST_DUE" in content
            assert "Past Due" not in content
        assert "days to pay" in content.lower()
        assert "net days" not in content.lower()
        payment = owing.january.payments.get()
        for path in ("payments/payment/", f"payments/payment/{payment.id}/change/"):
            assert "the invoice was issued" in page(support, path)
        assert 'field-status">DECLINED<' in page(support, "payments/payment/")
        assert "History</a>" in page(support, "")

    def test_an_account_and_an_invoice_show_what_became_of_the_amounts(
        self, support: Client, billed_account: Billed, owing: Owing
    ) -> None:
        refunded(billed_account.payment, 199_900)
        _, _, invoices, *_ = tables_of(billed_account.account)
        assert (
            dict(zip(invoices.columns, invoices.rows[-1], strict=True)).items()
            >= {
                "Paid": "1,999.00 USD",
                "Refunded": "1,999.00 USD",
                "Credited off what was owed": "0.00 USD",
                "Credited to the balance": "0.00 USD",
                "Credited with refunds": "1,999.00 USD",
                "Written off": "0.00 USD",
                "Outstanding": "0.00 USD",
            }.items()
        )
        content = page(support, f"invoices/invoice/{billed_account.invoice.id}/change/").lower()
        for label in ("credited off what was owed", "credited to the balance", "credited with refunds"):
            assert f"<label>{label}:</label>" in content
        write_off_invoice(invoice_id=owing.january.id, **SORRY)
        _, _, invoices, *_ = tables_of(owing.account)
        assert [dict(zip(invoices.columns, row, strict=True))["Written off"] for row in invoices.rows] == [
            "0.00 USD",
            "19.99 USD",
        ]

    def test_an_account_shows_the_terms_in_force_today_and_those_before(
        self, support: Client, billed_account: Billed
    ) -> None:
        account = billed_account.account
        change_terms(
            account_id=account.id,
            changes=TermsChanges(quantity=2),
            proration="none",
            reason="a second seat",
            author="staff:anna",
            today=datetime.date(2026, 1, 20),
            now=NOW,
        )
        content = page(support, f"accounts/account/{account.id}/change/")
        assert '<div class="readonly">3,998.00 USD</div>' in content  # the price per period
        terms, *_, history = tables_of(account)
        assert [row[:1] + row[2:5] for row in map(tuple, terms.rows)] == [
            ("2026-01-20", 2, "1,999.00 USD", "3,998.00 USD"),
            ("2026-01-01", 1, "1,999.00 USD", "1,999.00 USD"),
        ]
        assert [tuple(row)[1:] for row in history.rows] == [
            ("quantity 1", "quantity 2, in force from 2026-01-20", "a second seat", "staff:anna"),
            ("status PENDING", "status ACTIVE", "its first invoice was paid", "system:billing"),
            (
                "",
                "status PENDING, plan gold, quantity 1, unit price 1,999.00 USD, anchor date 2026-01-01, in force from "
                "2026-01-01",
                "opened",
                "test",
            ),
        ]
        assert "quantity 2, in force from 2026-01-20" in page(support, "accounts/accountchange/")

    def test_an_account_shows_the_balance_after_each_entry(self, billed_account: Billed) -> None:
        grant_credit(
            account_id=billed_account.account.id, amount_minor=500, **SORRY | {"today": datetime.date(2026, 1, 15)}
        )
        billed(as_of=datetime.date(2026, 2, 1))
        (ledger,) = [table for table in tables_of(billed_account.account) if table.title == "Ledger"]

        assert [(str(row[0]), row[2], row[4], row[5]) for row in ledger.rows] == [
            ("2026-02-01", "cash", "1,994.00 USD", "0.00 USD"),
            ("2026-02-01", "receivable", "1,999.00 USD", "1,994.00 USD"),
            ("2026-01-15", "credits", "5.00 USD", "-5.00 USD"),
            ("2026-01-01", "cash", "1,999.00 USD", "0.00 USD"),
            ("2026-01-01", "receivable", "1,999.00 USD", "1,999.00 USD"),
        ]

    def test_an_account_shows_the_newest_rows_and_leads_to_all(self, support: Client) -> None:
        account = an_account()
        for number in range(MAX_ROWS + 1):
            grant_credit(account_id=account.id, amount_minor=100, **SORRY | {"reason": f"credit {number}"})

        content = page(support, f"accounts/account/{account.id}/change/")

        assert "<td>credit 50</td>" in content
        assert "<td>credit 0</td>" not in content
        everything = f"ledger/entry/?account__id__exact={account.id}"
        assert f"/admin/{everything}" in content
        assert page(support, everything).count('class="field-account_link') == MAX_ROWS  # a page of the list

    def test_a_run_shows_its_reconciliation(self, support: Client, billed_account: Billed, parked: Rebilling) -> None:
        content = page(support, f"rebilling/run/{billed_account.run.id}/change/")
        assert "<td>charged</td><td>1</td><td>1,999.00 USD</td><td></td>" in content
        assert "<td>succeeded</td><td>1</td>" in content
        for linked in ("rebilling/rebilling", "invoices/invoice"):
            assert f"/admin/{linked}/?run={billed_account.run.id}" in content
        assert "Reconciliation: In progress: the next hourly check looks whether the sweep missed anything." in content
        reconcile(runs=[billed_account.run], now=NOW)
        content = page(support, f"rebilling/run/{billed_account.run.id}/change/")
        assert "Reconciliation: Clean: due = charged + skipped + parked." in content

        content = page(support, f"rebilling/run/{parked.run_id}/change/")
        assert "<td>parked</td><td>1</td><td>19.99 USD</td><td>too_many_periods 1</td>" in content

    def test_a_run_says_what_is_still_to_be_charged_and_what_is_unexplained(self, support: Client) -> None:
        """The message of a period is lost; past its time the period is unexplained."""
        an_account()
        run = swept(as_of=TODAY, queue=QueueInHand())
        path = f"rebilling/run/{run.id}/change/"

        assert "Reconciliation: UNEXPLAINED: 1 due period not" in page(support, path)
        Rebilling.objects.update(due_since=timezone.now())
        assert "Reconciliation: In progress: 1 period still to be charged" in page(support, path)

    @pytest.mark.parametrize("kind", ["charge", "payment_entry", "payment", "invoice", "rebilling"])
    def test_each_row_has_a_page(self, support: Client, billed_account: Billed, kind: str) -> None:
        row = getattr(billed_account, kind)

        content = page(support, f"{row._meta.app_label}/{row._meta.model_name}/{row.id}/change/")

        assert "1,999.00 USD" in content
        assert "Ada Lovelace (ENGINE-1)" in content

    def test_runs_of_one_day_differ_by_their_time(self, support: Client, billed_account: Billed) -> None:
        assert "run of 2026-01-01 at 06:00" in page(support, "rebilling/rebilling/")
        assert "run of 2026-01-01 at 06:00" in page(support, "payments/payment/")

    def test_a_key_is_shown_without_its_hash(self, support: Client) -> None:
        hashed = an_api_key()
        key = apps.get_model("api", "ApiKey").objects.get()

        for path in ("api/apikey/", f"api/apikey/{key.id}/change/"):
            content = page(support, path)
            assert "Shop" in content
            assert "sk_abcd" in content
            assert "key_hash" not in content
            assert hashed.hex() not in content

    def test_a_row_that_does_not_exist_leads_back_to_the_index(self, support: Client) -> None:
        for name in ("0193aaaa-0000-7000-8000-000000000000", "nonsense"):
            response = support.get(f"/admin/accounts/account/{name}/change/")
            assert (response.status_code, response["Location"]) == (302, "/admin/")


class TestFindingAccounts:
    def test_by_name_address_reference_or_id(self, support: Client, billed_account: Billed) -> None:
        an_account(name="Robert Roe")
        for words in ("lovelace", "ada@engine", "ENGINE-1", str(billed_account.account.id)):
            content = page(support, f"accounts/account/?q={words}")
            assert "Ada Lovelace" in content
            assert "Robert Roe" not in content

    def test_by_an_external_reference_that_looks_like_an_id(self, support: Client) -> None:
        reference = "b7a1f5de-3c1e-4c52-9d6a-111111111111"
        an_account(name="Carla", external_reference=reference)

        assert "Carla" in page(support, f"accounts/account/?q={reference}")

    def test_by_status_and_plan(self, support: Client, billed_account: Billed) -> None:
        an_account(name="Robert Roe")
        plan = Plan.objects.get(code="gold")
        for filters in ("status__exact=ACTIVE", f"plan={plan.id}", f"plan={plan.id}&status__exact=ACTIVE"):
            content = page(support, f"accounts/account/?{filters}")
            assert "Ada Lovelace" in content
            assert "Robert Roe" not in content

    def test_by_the_plan_of_today(self, support: Client, billed_account: Billed) -> None:
        silver = a_plan(code="silver")
        account = billed_account.account
        terms = terms_of([account.id])[account.id].rows[0]
        later = terms._replace(effective_from=datetime.date(2026, 1, 2), plan_id=silver.id)
        add_terms(terms={account.id: later}, reason="upgrade", author="test", now=NOW)
        gold = Plan.objects.get(code="gold")
        assert "Ada Lovelace" in page(support, f"accounts/account/?plan={silver.id}")
        assert "Ada Lovelace" not in page(support, f"accounts/account/?plan={gold.id}")

    def test_closed_with_credit(self, support: Client, billed_account: Billed) -> None:
        bob = an_account(name="Robert Roe")
        for account in (billed_account.account, bob):
            close_account(account_id=account.id, **SORRY)
        grant_credit(account_id=billed_account.account.id, amount_minor=500, **SORRY)
        content = page(support, "accounts/account/?closed_with_credit=true")
        assert "Ada Lovelace" in content
        assert "Robert Roe" not in content

    def test_what_is_parked_is_found_by_its_reason(self, support: Client, parked: Rebilling) -> None:
        assert str(parked.id) in page(
            support, "rebilling/rebilling/?status__exact=PARKED&reason__exact=too_many_periods"
        )
        assert str(parked.id) not in page(support, "rebilling/rebilling/?reason__exact=charge_refused")
