"""The database's rules for payments and refunds, each tried past the operations as the application's role."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError, connection, models, transaction

from accounts.errors import violated_constraint
from accounts.ids import new_id
from accounts.models import Account
from ledger.models import Entry
from payments.gateways.port import Declined, Unknown
from payments.models import GatewayAttempt, Payment, Refund
from tests.builders import NOW, TODAY, ScriptedGateway, a_plan, an_account, billed, sends_back
from tests.support.databases import rolled_back
from tests.support.owing import DECLINED, invoices_of, owing, received
from tests.support.refunds import paid, refunded, requested, sent
from tests.support.unchanged import nothing_moves

pytestmark = rolled_back


def refusal_of(act: Callable[[], object]) -> str:
    """The constraint that refuses, deferred ones included. Nothing moved."""
    with nothing_moves(), pytest.raises(IntegrityError) as caught, transaction.atomic():
        checked(act)
    return violated_constraint(caught.value)


def checked(act: Callable[[], object]) -> None:
    act()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")


def copied(row: models.Model, **values: Any) -> Callable[[], object]:
    """Another row like this one, but for its id and what `values` say."""
    fields = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    return lambda: type(row)(**(fields | {"id": new_id()} | values)).save(force_insert=True)


def updated(row: models.Model, **values: Any) -> Callable[[], object]:
    return lambda: type(row)._default_manager.filter(pk=row.pk).update(**values)


def entry(account: Account, **values: Any) -> Callable[[], object]:
    """An entry of money, past the posting function."""
    columns = {
        "id": str(new_id()),
        "account_id": str(account.id),
        "type": "payment",
        "debit": "cash",
        "credit": "receivable",
        "amount_minor": 1999,
        "currency": "USD",
        "effective_on": TODAY,
        "description": "planted",
        "idempotency_key": str(new_id()),
        "created_by": "nobody",
        **values,
    }

    def act() -> None:
        with connection.cursor() as cursor:
            placeholders = ", ".join(f"%({name})s" for name in columns)
            cursor.execute(f"INSERT INTO ledger_entry ({', '.join(columns)}) VALUES ({placeholders})", columns)

    return act


FITTING: dict[str, dict[str, Any]] = {
    "SUBMITTED": {"completed_at": None},
    "UNKNOWN": {"completed_at": None},
    "SUCCEEDED": {"completed_at": NOW},
    "DECLINED": {"completed_at": NOW, "decline_code": "x"},
    "FAILED": {"completed_at": NOW, "failure_code": "x"},
}
KNOWN = {"SUCCEEDED", "DECLINED", "FAILED"}


def _submitted_payment() -> Payment:
    payment = owing(DECLINED).payments.get()
    copied(payment, status="SUBMITTED", decline_code="", completed_at=None)()
    return Payment.objects.get(status="SUBMITTED")


def _refund_answered(answer: Any) -> Refund:
    refund = requested(paid())
    assert answer is None or sent(refund, gateway=ScriptedGateway(refunds=[answer])) == []
    return Refund.objects.get(id=refund.id)


def _payment_answered(answer: Any) -> Payment:
    return owing(answer).payments.get()


PAYMENTS: dict[str, Callable[[], GatewayAttempt]] = {
    "SUBMITTED": _submitted_payment,
    "UNKNOWN": partial(_payment_answered, Unknown(reason="?")),
    "SUCCEEDED": paid,
    "DECLINED": partial(_payment_answered, DECLINED),
}
REFUNDS: dict[str, Callable[[], GatewayAttempt]] = {
    "SUBMITTED": partial(_refund_answered, None),
    "UNKNOWN": partial(_refund_answered, Unknown(reason="?")),
    "SUCCEEDED": partial(_refund_answered, sends_back),
    "FAILED": partial(_refund_answered, Declined(code="charge_disputed")),
}


def allowed(before: str, after: str) -> bool:
    """As docs/states.md has it."""
    return (
        before == after or (before == "SUBMITTED" and after != "SUBMITTED") or (before == "UNKNOWN" and after in KNOWN)
    )


class TestStates:
    @pytest.mark.parametrize(
        ("made", "before", "after"),
        [(made, before, after) for made in (PAYMENTS, REFUNDS) for before in made for after in made],
    )
    def test_change_only_as_the_page_of_states_has_it(
        self, made: dict[str, Callable[[], GatewayAttempt]], before: str, after: str
    ) -> None:
        row = made[before]()
        code = row.CODE_COLUMN
        assert row.status == before
        act = updated(row, status=after, **({code: ""} | FITTING[after]))
        if allowed(before, after):
            # Without the money's entry only the deferred key, at the end of the transaction, refuses a success.
            with transaction.atomic():
                act()
                assert type(row)._default_manager.get(id=row.id).status == after
                transaction.set_rollback(True)
        else:
            assert refusal_of(act) == f"{row._meta.db_table}_state"

    @pytest.mark.parametrize("status", ["DECLINED", "UNKNOWN"])
    def test_of_a_payment_begin_as_submitted_or_succeeded(self, status: str) -> None:
        act = copied(paid(), status=status, **FITTING[status])
        assert refusal_of(act) == "payments_payment_state"

    @pytest.mark.parametrize("status", ["FAILED", "UNKNOWN"])
    def test_of_a_refund_begin_as_submitted_or_succeeded(self, status: str) -> None:
        act = copied(requested(paid(), 1), status=status, **FITTING[status])
        assert refusal_of(act) == "payments_refund_state"


class TestMoneyAndItsEntry:
    """One `payment` entry a payment and one `refund` entry a refund, of its account, currency and amount."""

    def test_a_payment_that_succeeds_without_its_entry_is_refused(self) -> None:
        payment = owing(Unknown(reason="?")).payments.get()
        act = updated(payment, status="SUCCEEDED", completed_at=NOW)
        assert refusal_of(act) == "payment_has_its_entry"

    def test_money_received_offline_without_its_entry_is_refused(self) -> None:
        payment = received(an_account(), 500)
        assert refusal_of(copied(payment)) == "payment_has_its_entry"

    def test_a_refund_that_succeeds_without_its_entry_is_refused(self) -> None:
        act = updated(requested(paid()), status="SUCCEEDED", completed_at=NOW)
        assert refusal_of(act) == "refund_has_its_entry"

    def test_a_second_entry_of_a_payment_is_refused(self) -> None:
        payment = paid()
        act = entry(payment.account, payment_id=str(payment.id), invoice_id=str(payment.invoice_id))
        assert refusal_of(act) == "entry_of_a_payment_once"

    def test_a_second_entry_of_a_refund_is_refused(self) -> None:
        refund = refunded(paid(), 700)
        act = entry(
            refund.account, type="refund", debit="receivable", credit="cash", amount_minor=700, refund_id=str(refund.id)
        )
        assert refusal_of(act) == "entry_of_a_refund_once"

    @pytest.mark.parametrize("amount", [1, 1998, 2000])
    def test_an_entry_of_another_amount_than_its_payments_is_refused(self, amount: int) -> None:
        payment = owing(DECLINED).payments.get()
        act = entry(payment.account, payment_id=str(payment.id), amount_minor=amount)
        assert refusal_of(act) == "entry_as_its_payment"

    def test_an_entry_of_another_account_or_currency_than_its_payments_is_refused(self) -> None:
        payment = owing(DECLINED).payments.get()
        other, euros = an_account(), an_account(plan=a_plan(currency="EUR"))
        assert refusal_of(entry(other, payment_id=str(payment.id))) == "entry_as_its_payment"
        assert refusal_of(entry(euros, payment_id=str(payment.id), currency="EUR")) == "entry_as_its_payment"

    def test_an_entry_of_another_amount_than_its_refunds_is_refused(self) -> None:
        refund = requested(paid(), 700)
        act = entry(
            refund.account, type="refund", debit="receivable", credit="cash", amount_minor=701, refund_id=str(refund.id)
        )
        assert refusal_of(act) == "entry_as_its_refund"

    def test_an_entry_that_names_no_payment_that_exists_is_refused(self) -> None:
        assert refusal_of(entry(an_account(), payment_id=str(new_id()))) in {
            "entry_as_its_payment",
            "entry_names_a_payment",
        }


class TestPayments:
    def test_are_of_an_invoice_of_their_account_and_currency(self) -> None:
        payment, other = owing(DECLINED).payments.get(), owing(DECLINED)
        fresh: dict[str, Any] = {"status": "SUBMITTED", "decline_code": "", "completed_at": None}
        act = copied(payment, invoice_id=invoices_of(other)[0].id, **fresh)
        assert refusal_of(act) == "payment_of_its_accounts_invoice"
        assert refusal_of(copied(payment, currency="EUR", **fresh)) == "payment_of_its_accounts_invoice"
        assert refusal_of(copied(payment, account_id=other.id, **fresh)) == "payment_of_its_accounts_invoice"

    def test_are_in_flight_one_at_a_time_for_an_invoice(self) -> None:
        payment = owing(Unknown(reason="?")).payments.get()
        assert refusal_of(copied(payment, status="SUBMITTED")) == "payment_one_in_flight_an_invoice"

    def test_have_a_reference_of_their_own(self) -> None:
        first, second = paid(), owing(Unknown(reason="?")).payments.get()
        act = updated(second, status="SUCCEEDED", completed_at=NOW, gateway_reference=first.gateway_reference)
        assert refusal_of(act) == "payment_reference_once"

    @pytest.mark.parametrize(
        ("values", "constraint"),
        [
            ({"amount_minor": 0}, "payment_amount_positive"),
            ({"excess_minor": -1}, "payment_excess_within_it"),
            ({"excess_minor": 2000}, "payment_excess_within_it"),
            ({"refunded_minor": 2000}, "payment_not_refunded_past_it"),
            ({"completed_at": NOW}, "payment_completed_when_known"),
            ({"decline_code": "x"}, "payment_decline_has_a_code"),
            ({"invoice_id": None}, "payment_names_an_invoice_or_is_offline"),
            ({"cause": "offline"}, "payment_names_an_invoice_or_is_offline"),
            ({"gateway": "offline"}, "payment_names_an_invoice_or_is_offline"),
        ],
    )
    def test_are_refused_what_makes_no_sense(self, values: dict[str, Any], constraint: str) -> None:
        payment = owing(DECLINED).payments.get()
        fresh: dict[str, Any] = {"status": "SUBMITTED", "decline_code": "", "completed_at": None}
        assert refusal_of(copied(payment, **(fresh | values))) == constraint


class TestRefunds:
    @pytest.mark.parametrize(("first", "second"), [(1999, 1), (1000, 1000), (1, 1999)])
    def test_never_exceed_their_payment(self, first: int, second: int) -> None:
        refund = requested(paid(), first)
        assert refusal_of(copied(refund, amount_minor=second)) == "refund_within_its_payment"

    def test_that_failed_leave_their_amount_to_others(self) -> None:
        refund = _refund_answered(Declined(code="charge_disputed"))
        checked(copied(refund, status="SUBMITTED", failure_code="", completed_at=None))
        assert Refund.objects.count() == 2

    def test_are_of_a_payment_that_succeeded(self) -> None:
        refund = requested(paid(), 1)
        for answer in (DECLINED, Unknown(reason="?")):
            payment = owing(answer).payments.get()
            act = copied(refund, payment_id=payment.id, account_id=payment.account_id)
            assert refusal_of(act) == "refund_within_its_payment"

    def test_are_of_their_payments_account_and_currency(self) -> None:
        refund = requested(paid(), 1)
        assert refusal_of(copied(refund, account_id=an_account().id)) == "refund_within_its_payment"
        assert refusal_of(copied(refund, currency="EUR")) == "refund_within_its_payment"

    def test_have_a_reference_of_their_own(self) -> None:
        first, second = refunded(paid(), 700), requested(paid(), 700)
        act = updated(second, status="SUCCEEDED", completed_at=NOW, gateway_reference=first.gateway_reference)
        assert refusal_of(act) == "refund_reference_once"

    @pytest.mark.parametrize(
        ("values", "constraint"),
        [
            ({"amount_minor": 0}, "refund_amount_positive"),
            ({"completed_at": NOW}, "refund_completed_when_known"),
            ({"failure_code": "x"}, "refund_failure_has_a_code"),
        ],
    )
    def test_are_refused_what_makes_no_sense(self, values: dict[str, Any], constraint: str) -> None:
        assert refusal_of(copied(requested(paid(), 1), **values)) == constraint


def test_an_account_that_pays_as_usual_is_refused_nothing() -> None:
    """The same rules, kept."""
    account = an_account()
    billed(as_of=TODAY)
    refunded(account.payments.get(), 700)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
    assert Entry.objects.count() == 4
