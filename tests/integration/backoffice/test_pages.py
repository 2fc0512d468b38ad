import datetime

import pytest
from django.apps import apps
from django.test import Client
from django.utils import timezone

from backoffice.account_page import tables_of
from backoffice.tables import MAX_ROWS
from ledger.models import EntryType
from ledger.posting import Posting, post
from rebilling.models import Rebilling
from tests.builders import NOW, TODAY, QueueInHand, a_plan, an_account, billed, swept
from tests.integration.backoffice.conftest import Billed, an_api_key, page
from tests.support.databases import rolled_back

pytestmark = rolled_back


class TestPages:
    def test_the_index_names_every_subject(self, support: Client) -> None:
        content = page(support, "")

        for subject in ("Accounts", "Plans", "Entries", "Payments", "Runs", "Rebillings"):
            assert f">{subject}</a>" in content
        assert ">Users</a>" not in content

    def test_lists_show_amounts_in_their_currency(self, support: Client, billed_account: Billed) -> None:
        for path in (
            "accounts/plan/",
            "accounts/account/",
            "ledger/entry/",
            "payments/payment/",
            "rebilling/rebilling/",
        ):
            assert "1,999.00 USD" in page(support, path)

    def test_a_list_of_accounts_shows_what_each_owes(self, support: Client) -> None:
        owing = an_account(name="Owing", plan=a_plan(code="yen", currency="JPY", unit_amount_minor=5000))
        posting = Posting(
            type=EntryType.CREDIT,
            account_id=owing.id,
            amount_minor=700,
            currency="JPY",
            effective_on=TODAY,
            description="sorry",
            idempotency_key="k",
        )
        post(postings=[posting], author="test", now=NOW)
        an_account(name="Square")

        content = page(support, "accounts/account/")

        assert '<td class="field-balance_now">-700 JPY</td>' in content
        assert '<td class="field-balance_now">0.00 USD</td>' in content

    def test_an_account_shows_its_periods_payments_entries_and_history(
        self, support: Client, billed_account: Billed
    ) -> None:
        content = page(support, f"accounts/account/{billed_account.account.id}/change/")

        assert '<div class="readonly">0.00 USD</div>' in content  # what it owes
        assert f"/admin/rebilling/rebilling/{billed_account.rebilling.id}/change/" in content
        assert "1 Jan to 31 Jan 2026" in content
        assert f"/admin/payments/payment/{billed_account.payment.id}/change/" in content
        assert f"/admin/ledger/entry/{billed_account.charge.id}/change/" in content
        assert "<td>PENDING</td><td>ACTIVE</td>" in content
        assert "Close account" not in content  # not theirs to do

    def test_an_account_shows_the_balance_after_each_entry(self, billed_account: Billed) -> None:
        credit = Posting(
            type=EntryType.CREDIT,
            account_id=billed_account.account.id,
            amount_minor=500,
            currency="USD",
            effective_on=datetime.date(2026, 1, 15),
            description="sorry",
            idempotency_key="k",
        )
        post(postings=[credit], author="test", now=NOW)
        billed(as_of=datetime.date(2026, 2, 1))
        ledger = tables_of(billed_account.account)[3]

        assert [(str(row[0]), row[2], row[4], row[5]) for row in ledger.rows] == [
            ("2026-02-01", "cash", "1,994.00 USD", "0.00 USD"),
            ("2026-02-01", "receivable", "1,999.00 USD", "1,994.00 USD"),
            ("2026-01-15", "credits", "5.00 USD", "-5.00 USD"),
            ("2026-01-01", "cash", "1,999.00 USD", "0.00 USD"),
            ("2026-01-01", "receivable", "1,999.00 USD", "1,999.00 USD"),
        ]

    def test_an_account_shows_the_newest_rows_and_leads_to_all(self, support: Client) -> None:
        account = an_account()
        postings = (
            Posting(
                type=EntryType.CREDIT,
                account_id=account.id,
                amount_minor=100,
                currency="USD",
                effective_on=TODAY,
                description=f"credit {number}",
                idempotency_key=f"k{number}",
            )
            for number in range(MAX_ROWS + 1)
        )
        post(postings=postings, author="test", now=NOW)

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

    @pytest.mark.parametrize("kind", ["charge", "payment_entry", "payment", "rebilling"])
    def test_each_row_has_a_page(self, support: Client, billed_account: Billed, kind: str) -> None:
        row = getattr(billed_account, kind)

        content = page(support, f"{row._meta.app_label}/{row._meta.model_name}/{row.id}/change/")

        assert "1,999.00 USD" in content
        assert "Ada Lovelace (ENGINE-1)" in content

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
        an_account(name="Bob")
        for words in ("lovelace", "ada@engine", "ENGINE-1", str(billed_account.account.id)):
            content = page(support, f"accounts/account/?q={words}")
            assert "Ada Lovelace" in content
            assert "Bob" not in content

    def test_by_an_external_reference_that_looks_like_an_id(self, support: Client) -> None:
        reference = "b7a1f5de-3c1e-4c52-9d6a-111111111111"
        an_account(name="Carla", external_reference=reference)

        assert "Carla" in page(support, f"accounts/account/?q={reference}")

    def test_by_status_and_plan(self, support: Client, billed_account: Billed) -> None:
        an_account(name="Bob")
        for filters in ("status__exact=ACTIVE", f"plan__id__exact={billed_account.account.plan_id}"):
            content = page(support, f"accounts/account/?{filters}")
            assert "Ada Lovelace" in content
            assert "Bob" not in content

    def test_what_is_parked_is_found_by_its_reason(self, support: Client, parked: Rebilling) -> None:
        assert str(parked.id) in page(
            support, "rebilling/rebilling/?status__exact=PARKED&reason__exact=too_many_periods"
        )
        assert str(parked.id) not in page(support, "rebilling/rebilling/?reason__exact=charge_refused")
