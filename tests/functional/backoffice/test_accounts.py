"""The staff's actions on accounts: close, reopen, credit, offline payment."""

import re
from decimal import Decimal

import pytest
from django.test import Client

from accounts import clock
from accounts.models import Account
from accounts.tax_rates import create_tax_rate
from ledger.balances import balance
from ledger.models import EntryType
from payments.models import Payment
from tests.builders import a_plan, an_account
from tests.functional.backoffice.action_requests import (
    logged,
    messages_of,
    path_of,
    performed,
    state,
    submission_of,
)
from tests.functional.backoffice.conftest import Billed, Owing
from tests.support.databases import rolled_back
from tests.support.owing import rows, state_of
from tests.support.refunds import entries_of

pytestmark = rolled_back

NOW = {"reason": "moved away", "when": "now"}

RECORDED = ["The payment was recorded."]


def transfer(client: Client, owing: Owing, **said: str) -> dict[str, str]:
    submission = submission_of(client, owing.account, "payment")
    return {"reason": "by transfer", "reference": "SEPA 17", "amount": "25.00", "submission": submission} | said


class TestCloseAndReopen:
    def test_closes_and_says_who_did_it(self, operator: Client, billed_account: Billed) -> None:
        account = billed_account.account

        assert messages_of(operator, path_of(account, "close"), NOW) == [
            "The account was closed, or will be on its day."
        ]

        account.refresh_from_db()
        assert (account.status, account.inactive_reason) == ("INACTIVE", "closed")
        change = account.changes.latest("id")
        assert (change.reason, change.author) == ("moved away", "staff:olga")
        assert logged() == [("olga", str(account.id), "Close account: moved away")]
        assert "Close account: moved away" in operator.get(path_of(account, "history")).content.decode()

    def test_closing_twice_is_refused(self, operator: Client, billed_account: Billed) -> None:
        account = billed_account.account
        performed(operator, path_of(account, "close"), NOW)
        before = state()

        assert messages_of(operator, path_of(account, "close"), NOW) == [
            f"The account {account.id} is already inactive (closed)."
        ]
        assert state() == before

    def test_reopens(self, operator: Client, billed_account: Billed) -> None:
        account = billed_account.account
        performed(operator, path_of(account, "close"), NOW)

        assert messages_of(operator, path_of(account, "reopen"), {"reason": "back"}) == ["The account was reopened."]

        account.refresh_from_db()
        assert (account.status, account.inactive_reason) == ("ACTIVE", "")
        assert account.changes.latest("id").author == "staff:olga"


class TestChangeAccount:
    def form(self, client: Client, account: Account) -> dict[str, str]:
        """What a browser sends of the form as it was opened."""
        content = client.get(path_of(account, "update")).content.decode()
        fields: dict[str, str] = {}
        for tag in re.findall(r"<input [^>]*>", content):
            name, value = re.search(r'name="([^"]+)"', tag), re.search(r'value="([^"]*)"', tag)
            if name and name[1] != "csrfmiddlewaretoken":
                fields[name[1]] = value[1] if value else ""
        selected = re.search(r'<option value="([^"]+)" selected', content)
        assert selected
        return fields | {"collection_method": selected[1], "reason": "as they asked"}

    def test_changes_only_what_was_changed_in_the_form(self, operator: Client, billed_account: Billed) -> None:
        account = billed_account.account
        said = self.form(operator, account) | {"email": "ada@new.example", "net_days": "14"}
        Account.objects.filter(id=account.id).update(name="Changed meanwhile")

        assert messages_of(operator, path_of(account, "update"), said) == ["The account was changed."]

        account.refresh_from_db()
        assert (account.name, account.email, account.net_days) == ("Changed meanwhile", "ada@new.example", 14)
        change = account.changes.latest("id")
        assert change.after == {"email": "ada@new.example", "net_days": 14}
        assert (change.reason, change.author) == ("as they asked", "staff:olga")
        assert logged() == [("olga", str(account.id), "Change account: as they asked")]

    def test_keeps_a_tax_rate_that_is_not_among_those_offered(
        self, operator: Client, billed_account: Billed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("backoffice.account_fields.MAX_RATES", 1)
        account = billed_account.account
        offered, own, _ = (create_tax_rate(name=name, percent=Decimal(21), now=clock.now()) for name in "ABC")
        Account.objects.filter(id=account.id).update(tax_rate=own)

        response = operator.get(path_of(account, "update"))
        assert [value for value, _ in response.context["form"].fields["tax_rate"].choices] == [
            "", str(offered.id), str(own.id),
        ]  # fmt: skip
        assert f'<option value="{own.id}" selected>' in response.content.decode()

        said = self.form(operator, account) | {"tax_rate": str(own.id), "email": "ada@new.example"}
        assert messages_of(operator, path_of(account, "update"), said) == ["The account was changed."]
        account.refresh_from_db()
        assert (account.tax_rate_id, account.changes.latest("id").after) == (own.id, {"email": "ada@new.example"})

    def test_of_the_payment_method_tries_what_was_declined(self, operator: Client, owing: Owing) -> None:
        said = self.form(operator, owing.account) | {"payment_customer": "cus_2", "payment_method": "pm_2"}
        assert messages_of(operator, path_of(owing.account, "update"), said) == ["The account was changed."]
        payment = owing.account.payments.latest("id")
        assert (payment.cause, payment.status, payment.payment_method) == ("payment_method", "SUBMITTED", "pm_2")

    def test_without_a_change_or_with_an_invalid_value_is_refused(
        self, operator: Client, billed_account: Billed
    ) -> None:
        said = self.form(operator, billed_account.account)
        before = state()
        for changes, errors in (
            ({}, {"__all__": ["Change at least one of the fields."]}),
            ({"email": "nobody"}, {"email": ["Enter a valid email address."]}),
            ({"net_days": "366"}, {"net_days": ["Ensure this value is less than or equal to 365."]}),
        ):
            response = operator.post(path_of(billed_account.account, "update"), said | changes)
            assert response.context["form"].errors == errors
        assert state() == before


class TestBillDebt:
    def test_bills_what_an_inactive_account_owes(self, operator: Client, billed_account: Billed) -> None:
        account = billed_account.account
        assert path_of(account, "bill-debt") not in operator.get(path_of(account, "change")).content.decode()
        Account.objects.filter(id=account.id).update(
            status="INACTIVE", inactive_reason="imported", credit_balance_minor=-1999
        )
        assert path_of(account, "change") in operator.get("/admin/accounts/account/?unbilled_debt=1").content.decode()
        assert path_of(account, "bill-debt") in operator.get(path_of(account, "change")).content.decode()
        assert messages_of(operator, path_of(account, "bill-debt"), {"reason": "from before"}) == [
            "The debt was billed."
        ]
        account.refresh_from_db()
        assert (account.credit_balance_minor, account.payments.latest("id").amount_minor) == (0, 1999)
        content = operator.get("/admin/accounts/account/?unbilled_debt=1").content.decode()
        assert path_of(account, "change") not in content
        assert logged() == [("olga", str(account.id), "Bill the debt now: from before")]

    def test_is_refused_where_there_is_none(self, operator: Client, billed_account: Billed) -> None:
        before = state()
        (message,) = messages_of(operator, path_of(billed_account.account, "bill-debt"), {"reason": "none"})
        assert message.endswith("its next invoice brings a debt forward.")
        assert state() == before


class TestGrantCredit:
    def test_credits_what_was_entered(self, operator: Client, billed_account: Billed) -> None:
        account = billed_account.account
        said = {"reason": "outage", "amount": "20.5", "submission": submission_of(operator, account, "credit")}

        assert messages_of(operator, path_of(account, "credit"), said) == ["The credit was granted."]

        entry = account.entries.get(type=EntryType.CREDIT)
        assert (entry.amount_minor, entry.description, entry.created_by) == (2050, "outage", "staff:olga")
        assert str(entry.id) == said["submission"]
        assert state_of(account) == ("ACTIVE", 0, 2050)
        assert logged() == [("olga", str(account.id), "Grant credit: outage")]

    def test_goes_to_what_is_open_the_oldest_first(self, operator: Client, owing: Owing) -> None:
        said = {"reason": "outage", "amount": "25,00", "submission": submission_of(operator, owing.account, "credit")}
        assert messages_of(operator, path_of(owing.account, "credit"), said) == ["The credit was granted."]
        assert rows(owing.account) == [("PAID", 1999, 0), ("OPEN", 501, 0)]

    def test_the_same_form_sent_twice_credits_once(self, operator: Client, billed_account: Billed) -> None:
        account = billed_account.account
        said = {"reason": "outage", "amount": "20.50", "submission": submission_of(operator, account, "credit")}
        operator.post(path_of(account, "credit"), said)
        before = state()

        assert messages_of(operator, path_of(account, "credit"), said) == ["This credit was granted before."]
        assert state() == before
        assert balance(account_id=account.id) == -2050

    def test_two_forms_credit_twice(self, operator: Client, billed_account: Billed) -> None:
        account = billed_account.account
        for _ in range(2):
            said = {"reason": "outage", "amount": "1.00", "submission": submission_of(operator, account, "credit")}
            operator.post(path_of(account, "credit"), said)
        assert balance(account_id=account.id) == -200

    def test_a_form_without_its_submission_is_refused(self, operator: Client) -> None:
        account = an_account()
        before = state()
        response = operator.post(path_of(account, "credit"), {"reason": "outage", "amount": "1.00"})
        assert response.status_code == 200
        assert state() == before

    @pytest.mark.parametrize(
        "amount", ["0", "-1", "1.999", "1,999", "1.000,50", "1e3", "NaN", "\uff11", "9" * 19, "", "1.", ".5", ",5"]
    )
    def test_an_invalid_amount_is_refused(self, operator: Client, amount: str) -> None:
        account = an_account()
        before = state()
        said = {"reason": "outage", "amount": amount, "submission": submission_of(operator, account, "credit")}

        response = operator.post(path_of(account, "credit"), said)

        assert response.status_code == 200
        assert "errorlist" in response.content.decode()
        assert state() == before


class TestRecordOfflinePayment:
    def test_for_no_invoice_goes_to_what_is_open_the_oldest_first(self, operator: Client, owing: Owing) -> None:
        account = owing.account
        said = transfer(operator, owing)

        assert messages_of(operator, path_of(account, "payment"), said) == RECORDED

        payment = Payment.objects.get(gateway="offline")
        assert (payment.status, payment.amount_minor, payment.gateway_reference) == ("SUCCEEDED", 2500, "SEPA 17")
        assert (str(payment.id), payment.invoice_id) == (said["submission"], None)
        entry = account.entries.get(type=EntryType.PAYMENT)
        assert (entry.payment_id, entry.description, entry.created_by) == (payment.id, "by transfer", "staff:olga")
        assert rows(account) == [("PAID", 1999, 0), ("OPEN", 501, 0)]
        assert state_of(account) == ("PAST_DUE", 1498, 0)
        assert logged() == [("olga", str(account.id), "Record an offline payment: by transfer")]
        content = operator.get(path_of(account, "change")).content.decode()
        assert path_of(payment, "change") in content
        assert "SEPA 17" in operator.get(path_of(payment, "change")).content.decode()

    def test_for_an_invoice_pays_that_one_and_the_excess_goes_on(self, operator: Client, owing: Owing) -> None:
        form = operator.get(path_of(owing.account, "payment")).content.decode()
        assert f"{owing.january.number} of 2026-01-01: 19.99 USD outstanding" in form
        assert "No invoice: it becomes credit" in form
        said = transfer(operator, owing, invoice=str(owing.february.id))
        assert messages_of(operator, path_of(owing.account, "payment"), said) == RECORDED
        assert rows(owing.account) == [("OPEN", 501, 0), ("PAID", 0, 1999)]
        payment = Payment.objects.get(gateway="offline")
        assert (payment.invoice_id, payment.excess_minor) == (owing.february.id, 501)

    def test_for_an_invoice_of_another_account_is_refused(
        self, operator: Client, owing: Owing, billed_account: Billed
    ) -> None:
        said = transfer(operator, owing, invoice=str(billed_account.invoice.id))
        before = state()
        response = operator.post(path_of(owing.account, "payment"), said)
        assert response.context["form"].errors == {
            "invoice": ["Choose an open or written-off invoice of this account."]
        }
        assert state() == before

    def test_the_same_form_sent_twice_is_recorded_once(self, operator: Client, owing: Owing) -> None:
        said = transfer(operator, owing)
        operator.post(path_of(owing.account, "payment"), said)
        before = state()

        assert messages_of(operator, path_of(owing.account, "payment"), said) == ["This payment was recorded before."]
        assert state() == before
        assert balance(account_id=owing.account.id) == 1498

    def test_a_possible_duplicate_is_recorded_once_it_is_confirmed(self, operator: Client, owing: Owing) -> None:
        path = path_of(owing.account, "payment")
        operator.post(path, transfer(operator, owing))
        day = Payment.objects.get(gateway="offline").submitted_at.date()
        again = transfer(operator, owing)
        assert 'type="checkbox"' not in operator.get(path).content.decode()
        before = state()

        response = operator.post(path, again)

        assert [str(message) for message in response.context["messages"]] == [
            f"25.00 USD with the reference 'SEPA 17' was recorded before, on {day}. If this is another payment, "
            "confirm it."
        ]
        assert '<input type="checkbox" name="is_another"' in response.content.decode()
        assert f'name="submission" value="{again["submission"]}"' in response.content.decode()
        assert state() == before
        assert messages_of(operator, path, again | {"is_another": "on"}) == RECORDED
        assert entries_of(owing.account)[2:] == [("payment", 2500), ("payment", 2500)]
        assert state_of(owing.account) == ("ACTIVE", 0, 1002)

    def test_another_reference_or_amount_is_another_payment(self, operator: Client, owing: Owing) -> None:
        for said in ({"amount": "1.00"}, {"amount": "1.00", "reference": "SEPA 18"}, {"amount": "1.01"}):
            assert (
                messages_of(operator, path_of(owing.account, "payment"), transfer(operator, owing, **said)) == RECORDED
            )
        assert balance(account_id=owing.account.id) == 3998 - 301

    def test_uses_the_accounts_currency(self, operator: Client) -> None:
        account = an_account(plan=a_plan(currency="JPY", unit_amount_minor=5000))
        submission = submission_of(operator, account, "payment")
        said = {"reason": "by transfer", "reference": "17", "amount": "500", "submission": submission}
        assert messages_of(operator, path_of(account, "payment"), said) == RECORDED
        assert balance(account_id=account.id) == -500

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("amount", "0"),
            ("amount", "-1"),
            ("amount", "1.999"),
            ("amount", "9" * 19),
            ("amount", ""),
            ("reference", ""),
            ("reference", "  "),
            ("reference", "x" * 201),
            ("reference", "nul \0"),
            ("invoice", "all"),
            ("submission", ""),
        ],
    )
    def test_invalid_input_is_refused(self, operator: Client, owing: Owing, field: str, value: str) -> None:
        said = transfer(operator, owing, **{field: value})
        before = state()

        response = operator.post(path_of(owing.account, "payment"), said)

        assert response.status_code == 200
        assert "errorlist" in response.content.decode()
        assert state() == before
