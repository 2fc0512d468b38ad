"""Payments that staff record, and what they write off."""

import pytest
from django.test import Client

from ledger.balances import balance
from ledger.models import Entry, EntryType
from payments.models import Payment
from tests.builders import a_plan, an_account
from tests.databases import rolled_back
from tests.integration.backoffice.acting import logged, messages_of, path_of, state, submission_of
from tests.integration.backoffice.conftest import Owing
from tests.integration.rebilling.owing import received, rows

pytestmark = rolled_back

RECORDED = ["The payment was recorded."]


def transfer(client: Client, owing: Owing, **said: str) -> dict[str, str]:
    submission = submission_of(client, owing.account, "payment")
    return {"reason": "by transfer", "reference": "SEPA 17", "amount": "25.00", "submission": submission} | said


class TestRecordAPayment:
    def test_takes_what_was_written(self, operator: Client, owing: Owing) -> None:
        account = owing.account

        assert messages_of(operator, path_of(account, "payment"), transfer(operator, owing)) == RECORDED

        payment = Payment.objects.get(gateway="outside")
        assert (payment.status, payment.amount_minor, payment.gateway_reference) == ("SUCCEEDED", 2500, "SEPA 17")
        entry = account.entries.get(type=EntryType.PAYMENT)
        assert (entry.payment_id, entry.description, entry.created_by) == (payment.id, "by transfer", "staff:olga")
        assert rows(account) == [("PAID", 1999, 0), ("UNPAID", 501, 0)]
        assert balance(account_id=account.id) == 1498
        assert logged() == [("olga", str(account.id), "Record a payment: by transfer")]
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

    def test_goes_by_the_accounts_currency(self, operator: Client) -> None:
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
    def test_what_is_no_payment_is_refused(self, operator: Client, owing: Owing, field: str, value: str) -> None:
        said = transfer(operator, owing, **{field: value})
        before = state()

        response = operator.post(path_of(owing.account, "payment"), said)

        assert response.status_code == 200
        assert "errorlist" in response.content.decode()
        assert state() == before


class TestWriteOff:
    def test_offers_what_is_unpaid_all_ticked(self, operator: Client, owing: Owing) -> None:
        received(owing.account, 500)
        content = operator.get(path_of(owing.account, "write-off")).content.decode()
        assert "2026-01-01 to 2026-02-01: 14.99 USD" in content
        assert "2026-02-01 to 2026-03-01: 19.99 USD" in content
        assert content.count("checked") == 2

    def test_gives_up_what_is_ticked(self, operator: Client, owing: Owing) -> None:
        said = {"reason": "insolvent", "charges": str(owing.january.charge_id)}

        assert messages_of(operator, path_of(owing.account, "write-off"), said) == ["What was unpaid is written off."]

        (entry,) = Entry.objects.filter(type=EntryType.WRITE_OFF)
        assert (entry.amount_minor, entry.period_start) == (1999, owing.january.period_start)
        assert (entry.description, entry.created_by) == ("insolvent", "staff:olga")
        assert rows(owing.account) == [("WRITTEN_OFF", 0, 0), ("UNPAID", 0, 0)]
        assert logged() == [("olga", str(owing.account.id), "Write off: insolvent")]

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

    def test_of_a_charge_whose_payment_is_on_its_way_is_refused(self, operator: Client, owing: Owing) -> None:
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
        assert message == "A payment of such a charge is on its way: wait until its outcome is known."
        assert state() == before
