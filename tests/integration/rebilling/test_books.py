"""Forgeries, by SQL as the application role: the database refuses each, or the check of the books reports it."""

import datetime
import uuid
from collections.abc import Callable

import pytest
from django.core.management import CommandError, call_command

from invoices.credit_notes import issue_credit_note
from ledger.models import Entry
from payments.messages.dispatch import send_payments
from payments.messages.rows import message_of
from payments.models import Payment, Refund
from rebilling.books import ComparedBooks, changed_runs, check_books, discrepancies
from rebilling.models import BooksCheck, Rebilling
from tests.builders import NOW, TODAY, QueueInHand, ScriptedGateway, an_account, at, billed, delivered
from tests.support.databases import rolled_back
from tests.support.forgeries import ANEW, Sound, attempt, copied, execute, names, sound_accounts

NEVER = uuid.UUID("00000000-0000-7000-8000-000000000000")


@pytest.fixture
def sound(db: None) -> Sound:
    return sound_accounts()


@rolled_back
class TestTheDatabaseRefuses:
    @pytest.mark.parametrize(
        ("changes", "rule"),
        [
            ({"id": ANEW, "status": "'DUE'", "invoice_id": "NULL"}, "rebilling_once"),
            (
                {"id": ANEW, "status": "'DUE'", "invoice_id": "NULL", "period_start": "period_start + 1"},
                "rebilling_overlaps_none",
            ),
            ({"id": ANEW, "period_start": "period_end", "period_end": "period_end + 30"}, "rebilling_rebilling_state"),
        ],
        ids=["twice", "overlapping", "charged at once"],
    )
    def test_another_period(self, sound: Sound, changes: dict[str, str], rule: str) -> None:
        before = Rebilling.objects.count()
        assert attempt(copied("rebilling_rebilling", **changes), id=sound.rebilling.id) == rule
        assert (Rebilling.objects.count(), names()) == (before, set())

    @pytest.mark.parametrize(
        ("table", "column"),
        [
            *(("payments_payment", name) for name in ("amount_minor", "account_id", "invoice_id", "currency")),
            *(("invoices_invoice", name) for name in ("total_minor", "account_id", "number", "due_on")),
            *(("rebilling_rebilling", name) for name in ("account_id", "period_start", "period_end", "amount_minor")),
            *(("ledger_entry", name) for name in ("amount_minor", "created_at")),
            *(("invoices_invoiceline", name) for name in ("amount_minor", "description", "rebilling_id")),
            *(("accounts_account", name) for name in ("currency", "number_prefix")),
            *(("accounts_terms", name) for name in ("quantity", "unit_amount_minor")),
        ],
    )
    def test_a_change_of_what_never_changes(self, sound: Sound, table: str, column: str) -> None:
        assert attempt(f"UPDATE {table} SET {column} = {column}") == "no privilege"

    @pytest.mark.parametrize(
        "table",
        [
            *("rebilling_rebilling", "rebilling_run", "invoices_invoice", "invoices_invoiceline", "payments_payment"),
            *("payments_refund", "ledger_entry", "accounts_account", "accounts_terms", "accounts_accountchange"),
        ],
    )
    def test_a_deletion(self, sound: Sound, table: str) -> None:
        assert attempt(f"DELETE FROM {table}") == "no privilege"

    def test_a_payment_that_succeeded_without_its_entry(self, sound: Sound) -> None:
        statement = copied("payments_payment", id=ANEW, gateway_reference="'another'")
        assert attempt(statement, id=sound.payment.id) == "payment_has_its_entry"

    @pytest.mark.parametrize(
        ("changes", "rule"),
        [
            ({"id": ANEW, "idempotency_key": "'forged'"}, "entry_of_a_payment_once"),
            ({"id": ANEW, "idempotency_key": "'forged'", "payment_id": f"'{NEVER}'"}, "entry_as_its_payment"),
        ],
        ids=["a second", "of no payment"],
    )
    def test_a_payments_entry(self, sound: Sound, changes: dict[str, str], rule: str) -> None:
        entry = Entry.objects.get(payment_id=sound.payment.id)
        assert attempt(copied("ledger_entry", **changes), id=entry.id) == rule

    def test_a_payments_entry_of_another_amount(self, sound: Sound) -> None:
        entry = Entry.objects.get(payment_id=sound.payment.id)
        billed(as_of=datetime.date(2026, 2, 1), gateway=ScriptedGateway(*[TimeoutError()] * 2))
        unknown = sound.account.payments.get(status="UNKNOWN")
        statement = copied(
            "ledger_entry", id=ANEW, idempotency_key="'f'", payment_id=f"'{unknown.id}'", amount_minor="5"
        )
        assert attempt(statement, id=entry.id) == "entry_as_its_payment"

    def test_a_refund_above_its_payment(self, sound: Sound) -> None:
        statement = """
            INSERT INTO payments_refund (id, account_id, payment_id, source, amount_minor, currency, status, reason,
                failure_code, needs_review, review_reason, resolution, resolved_by, gateway, gateway_reference,
                submitted_at, created_by)
            SELECT gen_random_uuid(), account_id, id, 'payment', amount_minor + 1, currency, 'SUBMITTED', 'r', '',
                false, '', '', '', gateway, '', submitted_at, 'forger'
            FROM payments_payment WHERE id = %(id)s
        """
        assert attempt(statement, id=sound.payment.id) == "refund_within_its_payment"

    @pytest.mark.parametrize(
        ("table", "status"),
        [
            ("payments_payment", "SUBMITTED"),
            ("invoices_invoice", "VOID"),
            ("rebilling_rebilling", "DUE"),
            ("rebilling_run", "HELD"),
            ("accounts_account", "PENDING"),
        ],
    )
    def test_a_state_that_is_not_in_the_book(self, sound: Sound, table: str, status: str) -> None:
        assert attempt(f"UPDATE {table} SET status = %(status)s", status=status) == f"{table}_state"

    def test_a_period_that_costs_more_than_its_units(self, sound: Sound) -> None:
        statement = copied(
            "rebilling_rebilling", id=ANEW, status="'DUE'", invoice_id="NULL", period_start="period_end",
            period_end="period_end + 28", ended_on="period_end + 28", amount_minor="500000",
        )  # fmt: skip
        assert attempt(statement, id=sound.rebilling.id) == "rebilling_costs_what_its_units_do"

    def test_an_invoice_that_is_overpaid(self, sound: Sound) -> None:
        rule = attempt("UPDATE invoices_invoice SET paid_minor = paid_minor + 1")
        assert rule == "invoice_status_matches_amounts"

    def test_an_entry_in_another_currency(self, sound: Sound) -> None:
        entry = Entry.objects.get(payment_id=sound.payment.id)
        statement = copied(
            "ledger_entry", id=ANEW, idempotency_key="'f'", type="'credit'", debit="'credits'", payment_id="NULL",
            currency="'EUR'", invoice_id="NULL",
        )  # fmt: skip
        assert attempt(statement, id=entry.id) == "entry_in_its_accounts_currency"


Forgery = Callable[[Sound], None]


def a_payment_of_5000(sound: Sound) -> None:
    statement = copied(
        "payments_payment", id=ANEW, amount_minor="500000", status="'SUBMITTED'", completed_at="NULL",
        first_called_at="NULL", leased_until="NULL", gateway_reference="''",
    )  # fmt: skip
    assert attempt(statement, id=sound.payment.id) == ""


def a_payment_of_another_account(sound: Sound) -> None:
    execute("UPDATE payments_payment SET excess_minor = 999 WHERE id = %(id)s", id=sound.payment.id)


def an_invoice_without_lines(sound: Sound) -> None:
    assert attempt(copied("invoices_invoice", id=ANEW, number="'FORGED-1'"), id=sound.invoice.id) == ""


def a_line_of_no_change(sound: Sound) -> None:
    assert attempt(copied("invoices_invoiceline", id=ANEW, position="2", kind="'proration'"), id=sound.line.id) == ""


def a_change_that_gave_nothing_back(sound: Sound) -> None:
    execute(
        "INSERT INTO rebilling_proration (id, rebilling_id, terms_id, changed_on, waits, price_before_minor, "
        "price_after_minor, credit_minor, charge_minor, credit_total_minor, charge_total_minor, taken_along_minor) "
        "SELECT gen_random_uuid(), %(id)s, id, %(day)s, false, 1999, 1999, 999, 0, 999, 0, 0"
        " FROM accounts_terms WHERE account_id = %(account)s",
        id=sound.rebilling.id, account=sound.account.id, day=TODAY,
    )  # fmt: skip


def a_period_cut_to_nothing(sound: Sound) -> None:
    a_rebilling_date_moved_back(sound)
    execute("UPDATE rebilling_rebilling SET ended_on = period_start WHERE id = %(id)s", id=sound.rebilling.id)


def a_period_voided_on_its_first_day(sound: Sound) -> None:
    a_rebilling_date_moved_back(sound)
    execute(
        "UPDATE rebilling_rebilling SET status = 'VOIDED', ended_on = period_start WHERE id = %(id)s",
        id=sound.rebilling.id,
    )


def a_price_of_5000(sound: Sound) -> None:
    statement = copied(
        "rebilling_rebilling", id=ANEW, status="'DUE'", invoice_id="NULL", period_start="period_end",
        period_end="period_end + 28", ended_on="period_end + 28", unit_amount_minor="500000", amount_minor="500000",
    )  # fmt: skip
    assert attempt(statement, id=sound.rebilling.id) == ""


def a_debt_that_credit_hides(sound: Sound) -> None:
    """An invoice that asks for 500.00 more, and as much credit: the balance is as the books have it."""
    execute(
        "UPDATE invoices_invoice SET status = 'OPEN', balance_applied_minor = -50000 WHERE id = %(id)s",
        id=sound.invoice.id,
    )
    execute("UPDATE accounts_account SET credit_balance_minor = 50000 WHERE id = %(id)s", id=sound.account.id)


def a_second_charge_of_a_line(sound: Sound) -> None:
    entry = Entry.objects.get(line_id=sound.line.id)
    assert attempt(copied("ledger_entry", id=ANEW, idempotency_key="'forged'"), id=entry.id) == ""


def more_credit(sound: Sound) -> None:
    execute("UPDATE accounts_account SET credit_balance_minor = 5000 WHERE id = %(id)s", id=sound.account.id)


def a_credit_nobody_granted(sound: Sound) -> None:
    entry = Entry.objects.get(payment_id=sound.payment.id)
    statement = copied(
        "ledger_entry", id=ANEW, idempotency_key="'forged'", type="'credit'", debit="'credits'", payment_id="NULL",
        invoice_id="NULL",
    )  # fmt: skip
    assert attempt(statement, id=entry.id) == ""


def a_rebilling_date_moved_back(sound: Sound) -> None:
    execute("UPDATE accounts_account SET rebilling_date = first_rebilling_date WHERE id = %(id)s", id=sound.account.id)


def a_period_voided(sound: Sound) -> None:
    execute("UPDATE rebilling_rebilling SET status = 'VOIDED' WHERE id = %(id)s", id=sound.rebilling.id)


def a_period_of_a_finished_run(sound: Sound) -> None:
    statement = copied(
        "rebilling_rebilling", id=ANEW, status="'DUE'", invoice_id="NULL", period_start="period_end",
        period_end="period_end + 28", ended_on="period_end + 28",
    )  # fmt: skip
    assert attempt(statement, id=sound.rebilling.id) == ""


def a_period_of_another_invoice(sound: Sound) -> None:
    execute(
        "UPDATE rebilling_rebilling SET invoice_id = %(invoice)s WHERE id = %(id)s",
        invoice=sound.other.invoices.get().id,
        id=sound.rebilling.id,
    )


def an_invoice_paid_by_nothing(sound: Sound) -> None:
    execute(
        "UPDATE invoices_invoice SET paid_minor = 0, balance_applied_minor = 1999 WHERE id = %(id)s",
        id=sound.invoice.id,
    )


def a_write_off_without_entry(sound: Sound) -> None:
    execute("UPDATE invoices_invoice SET status = 'OPEN', paid_minor = 0 WHERE id = %(id)s", id=sound.invoice.id)
    execute(
        "UPDATE invoices_invoice SET status = 'UNCOLLECTIBLE', written_off_minor = 1999 WHERE id = %(id)s",
        id=sound.invoice.id,
    )


def a_credit_note_without_entry(sound: Sound) -> None:
    issue_credit_note(invoice_id=sound.invoice.id, amount_minor=500, reason="r", author="a", today=TODAY, now=NOW)
    note = sound.invoice.credit_notes.get()
    assert attempt(copied("invoices_creditnote", id=ANEW, number="'FORGED-CN'"), id=note.id) == ""


def a_refund_that_nothing_reserved(sound: Sound) -> None:
    execute(
        """
        INSERT INTO payments_refund (id, account_id, payment_id, source, amount_minor, currency, status, reason,
            failure_code, needs_review, review_reason, resolution, resolved_by, gateway, gateway_reference,
                submitted_at, created_by)
        SELECT gen_random_uuid(), account_id, id, 'payment', 500, currency, 'SUBMITTED', 'r', '', false, '', '', '',
            gateway, '', submitted_at, 'forger'
        FROM payments_payment WHERE id = %(id)s
        """,
        id=sound.payment.id,
    )


def a_payment_marked_as_refunded(sound: Sound) -> None:
    execute("UPDATE payments_payment SET refunded_minor = 500 WHERE id = %(id)s", id=sound.payment.id)


def a_line_marked_as_credited(sound: Sound) -> None:
    execute("UPDATE invoices_invoiceline SET credited_minor = 1999 WHERE id = %(id)s", id=sound.line.id)


@rolled_back
class TestTheCheckReports:
    @pytest.mark.parametrize(
        ("forgery", "reported"),
        [
            (a_payment_of_5000, {"collected_more_than_asked", "invoice_marked_wrongly"}),
            (a_payment_of_another_account, {"invoice_is_not_its_payments"}),
            (
                an_invoice_without_lines,
                {"invoice_is_not_its_lines", "invoice_is_not_its_payments"},
            ),
            (a_line_of_no_change, {"invoice_is_not_its_lines", "line_without_entry", "line_of_no_proration"}),
            (a_change_that_gave_nothing_back, {"proration_is_not_its_lines"}),
            (a_period_cut_to_nothing, {"period_cut_short", "surplus_period"}),
            (a_period_voided_on_its_first_day, {"period_cut_short"}),
            (a_price_of_5000, {"price_of_no_terms", "finished_run_changed"}),
            (a_debt_that_credit_hides, {"credit_not_used", "invoice_is_not_its_balance_uses"}),
            (a_second_charge_of_a_line, {"charge_that_is_no_lines", "balance_is_not_the_books"}),
            (more_credit, {"balance_is_not_the_books"}),
            (a_credit_nobody_granted, {"balance_is_not_the_books"}),
            (a_rebilling_date_moved_back, {"surplus_period"}),
            (a_period_voided, {"voided_period_not_credited"}),
            (a_period_of_a_finished_run, {"finished_run_changed"}),
            (a_period_of_another_invoice, {"charged_period_without_line", "line_of_no_charged_period"}),
            (an_invoice_paid_by_nothing, {"invoice_is_not_its_payments", "invoice_is_not_its_balance_uses"}),
            (a_write_off_without_entry, {"invoice_is_not_its_payments", "invoice_is_not_its_write_offs"}),
            (a_credit_note_without_entry, {"invoice_is_not_its_credit_notes"}),
            (a_refund_that_nothing_reserved, {"invoice_is_not_its_refunds"}),
            (a_payment_marked_as_refunded, {"payment_refunded_wrongly"}),
            (a_line_marked_as_credited, {"line_is_not_its_credit_notes"}),
        ],
    )
    def test_by_name(self, sound: Sound, forgery: Forgery, reported: set[str]) -> None:
        forgery(sound)
        assert names() == reported
        found = discrepancies(accounts=[sound.other.id])
        assert found == []

    def test_figures_of_runs_in_words(self, sound: Sound) -> None:
        a_period_of_a_finished_run(sound)
        (found,) = changed_runs()
        charged = "2 periods CHARGED, 39.98 USD"
        assert found.detail.endswith(f": {charged}; 1 period DUE, 19.99 USD instead of {charged}")

    def test_each_hour_what_was_written_since_and_all_of_it_once_a_day(self, sound: Sound) -> None:
        assert check_books(now=NOW) == ComparedBooks(2, [])
        untouched = an_account()
        execute("UPDATE accounts_account SET credit_balance_minor = 5000 WHERE id = %(id)s", id=untouched.id)
        assert check_books(now=NOW + datetime.timedelta(hours=23)).discrepancies == []
        (found,) = check_books(now=NOW + datetime.timedelta(hours=24)).discrepancies
        assert (found.name, found.account_id) == ("balance_is_not_the_books", untouched.id)
        looked = BooksCheck.objects.order_by("started_at").values_list("whole", "discrepancies")
        assert list(looked) == [(True, 0), (False, 0), (True, 1)]


@rolled_back
class TestReconcile:
    """The command, where it compares the books."""

    def test_says_that_the_books_of_all_accounts_agree(self, sound: Sound, capsys: pytest.CaptureFixture[str]) -> None:
        call_command("reconcile", "--whole")
        assert capsys.readouterr().out == "The books of 2 accounts agree.\n"
        call_command("reconcile")
        assert capsys.readouterr().out.startswith("No run is open.\n\nThe books of ")

    def test_names_the_discrepancies_of_one_account(self, sound: Sound, capsys: pytest.CaptureFixture[str]) -> None:
        call_command("reconcile", "--account", str(sound.account.id))
        assert capsys.readouterr().out == "The books of 1 account agree.\n"
        checks = BooksCheck.objects.count()
        more_credit(sound)
        with pytest.raises(CommandError, match=r"^1 discrepancy in the books\.$"):
            call_command("reconcile", "--account", str(sound.account.id))
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith(f"The books don't agree: balance_is_not_the_books: account {sound.account.id}: ")
        call_command("reconcile", "--account", str(sound.other.id))
        assert capsys.readouterr().out == "The books of 1 account agree.\n"
        assert BooksCheck.objects.count() == checks

    @pytest.mark.parametrize(
        ("arguments", "error"),
        [
            (["--account", str(NEVER)], f"There is no account {NEVER}."),
            (["--account", str(NEVER), "--whole"], "Give only one of a run, --whole and --account."),
            ([str(NEVER), "--whole"], "Give only one of a run, --whole and --account."),
        ],
    )
    def test_refuses(self, sound: Sound, arguments: list[str], error: str) -> None:
        with pytest.raises(CommandError, match=f"^{error}$"):
            call_command("reconcile", *arguments)
        assert BooksCheck.objects.count() == 0


@rolled_back
class TestTheWorker:
    def test_never_sends_a_payment_that_nothing_is_outstanding_for(self, sound: Sound) -> None:
        a_payment_of_5000(sound)
        forged = Payment.objects.get(amount_minor=500_000)
        queue, gateway = QueueInHand(), ScriptedGateway()
        send_payments(payment_ids=[forged.id], queue=queue)
        assert delivered(bodies=queue.take(), gateway=gateway, now=at(TODAY)) == []
        forged.refresh_from_db()
        assert (gateway.requests, forged.status, forged.decline_code) == ([], "DECLINED", "not_outstanding")
        assert forged.needs_review

    def test_reviews_a_payment_of_what_was_paid_before_it_was_submitted(self, sound: Sound) -> None:
        """It asks for no more than has come for its invoice, but nothing came since: nothing explains it."""
        statement = copied(
            "payments_payment", id=ANEW, status="'SUBMITTED'", completed_at="NULL", first_called_at="NULL",
            leased_until="NULL", gateway_reference="''", submitted_at="completed_at + interval '1 hour'",
        )  # fmt: skip
        assert attempt(statement, id=sound.payment.id) == ""
        forged = sound.account.payments.get(status="SUBMITTED")
        queue, gateway = QueueInHand(), ScriptedGateway()
        send_payments(payment_ids=[forged.id], queue=queue)
        assert delivered(bodies=queue.take(), gateway=gateway, now=at(TODAY)) == []
        forged.refresh_from_db()
        assert (gateway.requests, forged.status, forged.decline_code) == ([], "DECLINED", "not_outstanding")
        assert forged.needs_review

    def test_never_sends_a_refund_that_nothing_reserved(self, sound: Sound) -> None:
        a_refund_that_nothing_reserved(sound)
        forged = sound.payment.refunds.get()
        queue, gateway = QueueInHand(), ScriptedGateway()
        queue.send([message_of(Refund, [forged.id])])
        delivered(bodies=queue.take(), gateway=gateway)
        forged.refresh_from_db()
        assert (gateway.refund_requests, forged.status, forged.failure_code) == ([], "FAILED", "not_reserved")
        assert forged.needs_review
