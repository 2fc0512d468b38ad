"""The staff's actions on accounts: close, reopen, credit, offline payment, write-off."""

import pytest
from django.test import Client

from ledger.balances import balance
from ledger.models import Entry, EntryType
from payments.models import Payment
from tests.builders import a_plan, an_account
from tests.integration.backoffice.action_requests import logged, messages_of, path_of, state, submission_of
from tests.integration.backoffice.conftest import Billed, Owing
from tests.support.databases import rolled_back
from tests.support.owing import received, rows

pytestmark = rolled_back

RECORDED = ["The payment was recorded."]


def transfer(client: Client, owing: Owing, **said: str) -> dict[str, str]:
    submission = submission_of(client, owing.account, "payment")
    return {"reason": "by transfer", "reference": "SEPA 17", "amount": "25.00", "submission": submission} | said


class TestCloseAndReopen:
    def test_closes_and_says_who_did_it(self, operator: Client, billed_account: Billed) -> None:
        account = billed_account.account

        assert messages_of(operator, path_of(account, "close"), {"reason": "moved away"}) == ["The account was closed."]

        account.refresh_from_db()
        assert (account.status, account.inactive_reason) == ("INACTIVE", "closed")
        change = account.status_changes.latest("id")
        assert (change.reason, change.author) == ("moved away", "staff:olga")
        assert logged() == [("olga", str(account.id), "Close account: moved away")]
        assert "Close account: moved away" in operator.get(path_of(account, "history")).content.decode()

    def test_closing_twice_is_refused(self, operator: Client, billed_account: Billed) -> None:
        account = billed_account.account
        operator.post(path_of(account, "close"), {"reason": "moved away"})
        before = state()

        assert messages_of(operator, path_of(account, "close"), {"reason": "again"}) == [
            f"The account {account.id} is already inactive (closed)."
        ]
        assert state() == before

    def test_reopens(self, operator: Client, billed_account: Billed) -> None:
        account = billed_account.account
        operator.post(path_of(account, "close"), {"reason": "moved away"})

        assert messages_of(operator, path_of(account, "reopen"), {"reason": "back"}) == ["The account was reopened."]

        account.refresh_from_db()
        assert (account.status, account.inactive_reason) == ("ACTIVE", "")
        assert account.status_changes.latest("id").author == "staff:olga"


class TestGrantCredit:
    def test_credits_what_was_entered(self, operator: Client, billed_account: Billed) -> None:
        account = billed_account.account
        said = {"reason": "outage", "amount": "20.5", "submission": submission_of(operator, account)}

        assert messages_of(operator, path_of(account, "credit"), said) == ["The credit was granted."]

        entry = account.entries.get(type=EntryType.CREDIT)
        assert (entry.amount_minor, entry.description, entry.created_by) == (2050, "outage", "staff:olga")
        assert balance(account_id=account.id) == -2050
        assert logged() == [("olga", str(account.id), "Grant credit: outage")]

    def test_the_same_form_sent_twice_credits_once(self, operator: Client, billed_account: Billed) -> None:
        account = billed_account.account
        said = {"reason": "outage", "amount": "20.50", "submission": submission_of(operator, account)}
        operator.post(path_of(account, "credit"), said)
        before = state()

        assert messages_of(operator, path_of(account, "credit"), said) == ["This credit was granted before."]
        assert state() == before
        assert balance(account_id=account.id) == -2050

    def test_two_forms_credit_twice(self, operator: Client, billed_account: Billed) -> None:
        account = billed_account.account
        for _ in range(2):
            said = {"reason": "outage", "amount": "1.00", "submission": submission_of(operator, account)}
            operator.post(path_of(account, "credit"), said)
        assert balance(account_id=account.id) == -200

    def test_a_form_without_its_submission_is_refused(self, operator: Client) -> None:
        account = an_account()
        before = state()
        response = operator.post(path_of(account, "credit"), {"reason": "outage", "amount": "1.00"})
        assert response.status_code == 200
        assert state() == before

    @pytest.mark.parametrize("amount", ["0", "-1", "1.999", "1,50", "1e3", "NaN", "\uff11", "9" * 19, "", "1.", ".5"])
    def test_an_invalid_amount_is_refused(self, operator: Client, amount: str) -> None:
        account = an_account()
        before = state()
        said = {"reason": "outage", "amount": amount, "submission": submission_of(operator, account)}

        response = operator.post(path_of(account, "credit"), said)

        assert response.status_code == 200
        assert "errorlist" in response.content.decode()
        assert state() == before


class TestRecordOfflinePayment:
    def test_records_what_was_entered(self, operator: Client, owing: Owing) -> None:
        account = owing.account

        assert messages_of(operator, path_of(account, "payment"), transfer(operator, owing)) == RECORDED

        payment = Payment.objects.get(gateway="offline")
        assert (payment.status, payment.amount_minor, payment.gateway_reference) == ("SUCCEEDED", 2500, "SEPA 17")
        entry = account.entries.get(type=EntryType.PAYMENT)
        assert (entry.payment_id, entry.description, entry.created_by) == (payment.id, "by transfer", "staff:olga")
        assert rows(account) == [("PAID", 1999, 0), ("UNPAID", 501, 0)]
        assert balance(account_id=account.id) == 1498
        assert logged() == [("olga", str(account.id), "Record an offline payment: by transfer")]
        content = operator.get(path_of(account, "change")).content.decode()
        assert path_of(payment, "change") in content
        assert "SEPA 17" in operator.get(path_of(payment, "change")).content.decode()

    def test_the_same_form_sent_twice_is_recorded_once(self, operator: Client, owing: Owing) -> None:
        said = transfer(operator, owing)
        operator.post(path_of(owing.account, "payment"), said)
        before = state()

        assert messages_of(operator, path_of(owing.account, "payment"), said) == ["This payment was recorded before."]
        assert state() == before
        assert balance(account_id=owing.account.id) == 1498

    def test_two_forms_are_two_payments_and_a_credit_is_none(self, operator: Client, owing: Owing) -> None:
        for _ in range(2):
            said = transfer(operator, owing, amount="1.00")
            assert messages_of(operator, path_of(owing.account, "payment"), said) == RECORDED
        # The submission of one action is none of the other's.
        assert messages_of(operator, path_of(owing.account, "credit"), said) == ["The credit was granted."]
        assert sorted(owing.account.entries.exclude(type="charge").values_list("type", "amount_minor")) == [
            ("credit", 100),
            ("payment", 100),
            ("payment", 100),
        ]

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


class TestWriteOff:
    def test_offers_what_is_unpaid_all_checked(self, operator: Client, owing: Owing) -> None:
        received(owing.account, 500)
        content = operator.get(path_of(owing.account, "write-off")).content.decode()
        assert "1 Jan to 31 Jan 2026: 14.99 USD" in content
        assert "1 Feb to 28 Feb 2026: 19.99 USD" in content
        assert content.count("checked") == 2

    def test_writes_off_what_is_checked(self, operator: Client, owing: Owing) -> None:
        said = {"reason": "insolvent", "charges": str(owing.january.charge_id)}

        assert messages_of(operator, path_of(owing.account, "write-off"), said) == ["The charges were written off."]

        (entry,) = Entry.objects.filter(type=EntryType.WRITE_OFF)
        assert (entry.amount_minor, entry.period_start) == (1999, owing.january.period_start)
        assert (entry.description, entry.created_by) == ("insolvent", "staff:olga")
        assert rows(owing.account) == [("WRITTEN_OFF", 0, 0), ("UNPAID", 0, 0)]
        assert logged() == [("olga", str(owing.account.id), "Write off unpaid charges: insolvent")]

    def test_of_everything_makes_the_account_active(self, operator: Client, owing: Owing) -> None:
        charges = [str(owing.january.charge_id), str(owing.february.charge_id)]
        operator.post(path_of(owing.account, "write-off"), {"reason": "insolvent", "charges": charges})
        owing.account.refresh_from_db()
        assert (owing.account.status, balance(account_id=owing.account.id)) == ("ACTIVE", 0)
        content = operator.get(path_of(owing.account, "change")).content.decode()
        assert path_of(owing.account, "write-off") not in content

    @pytest.mark.parametrize("again", ["the same", "both"])
    def test_sent_twice_is_refused(self, operator: Client, owing: Owing, again: str) -> None:
        path = path_of(owing.account, "write-off")
        charges = [str(owing.january.charge_id), str(owing.february.charge_id)]
        operator.post(path, {"reason": "insolvent", "charges": charges[:1]})
        before = state()
        response = operator.post(path, {"reason": "insolvent", "charges": charges if again == "both" else charges[:1]})
        assert "errorlist" in response.content.decode()
        assert state() == before

    def test_of_nothing_or_of_what_is_not_unpaid_is_refused(self, operator: Client, owing: Owing) -> None:
        other, january = an_account(), str(owing.january.charge_id)
        before = state()
        for account, charges in ((owing.account, []), (owing.account, ["all"]), (other, [january])):
            response = operator.post(path_of(account, "write-off"), {"reason": "insolvent", "charges": charges})
            assert response.status_code == 200
            assert "errorlist" in response.content.decode()
        assert state() == before
        assert "has no unpaid charge" in operator.get(path_of(other, "write-off")).content.decode()

    def test_is_undone_at_its_entry(self, operator: Client, owing: Owing) -> None:
        said = {"reason": "insolvent", "charges": str(owing.january.charge_id)}
        operator.post(path_of(owing.account, "write-off"), said)
        entry = Entry.objects.get(type=EntryType.WRITE_OFF)

        assert messages_of(operator, path_of(entry, "reverse"), {"reason": "they paid"}) == ["The entry was reversed."]

        assert rows(owing.account) == [("UNPAID", 0, 0), ("UNPAID", 0, 0)]
        assert balance(account_id=owing.account.id) == 3998

    def test_of_a_charge_whose_payment_is_in_flight_is_refused(self, operator: Client, owing: Owing) -> None:
        Payment.objects.create(
            account=owing.account,
            charge_id=owing.january.charge_id,
            amount_minor=1999,
            currency="USD",
            status=Payment.Status.SUBMITTED,
            gateway="scripted",
            submitted_at=owing.january.due_since,
        )
        before = state()
        said = {"reason": "insolvent", "charges": str(owing.january.charge_id)}
        (message,) = messages_of(operator, path_of(owing.account, "write-off"), said)
        assert message == "A payment of such a charge is in flight: wait until its outcome is known."
        assert state() == before
