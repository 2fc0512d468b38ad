"""The right values: cases in which it is easy to be wrong by an amount, a day or a state, each through the API."""

import datetime
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks

from payments.gateways.port import Declined
from tests.support.api_client import problem_of
from tests.support.databases import rolled_back
from tests.support.gateway_requests import NOW as STRIPE_NOW
from tests.support.platform_days import PlatformDays, platform_days
from tests.support.stripe_bench import stripe_bench

pytestmark = rolled_back

DECLINED = Declined(code="card_declined")
STOLEN = Declined(code="stolen_card", hard=True)
ALWAYS = [DECLINED] * 100
WHY = {"reason": "A mistake."}


def jan(day: int) -> datetime.date:
    return datetime.date(2026, 1, day)


def feb(day: int) -> datetime.date:
    return datetime.date(2026, 2, day)


MAR_1 = datetime.date(2026, 3, 1)


def _amounts(invoice: Any, *names: str) -> tuple[Any, ...]:
    return (invoice["status"], *(invoice[f"{name}_minor"] for name in names))


def _owes(days: PlatformDays, account_id: str) -> tuple[int, int]:
    """What the account owes by its ledger, and its credit balance."""
    account = days.account(account_id)
    return account["balance_minor"], account["credit_balance_minor"]


def _charged(days: PlatformDays, **fields: Any) -> tuple[str, Any]:
    """An account billed on Jan 1, and its invoice."""
    account_id = days.opened(**fields)
    days.sweep()
    return account_id, days.invoice(account_id)


def _declined(days: PlatformDays, *answers: Any, **fields: Any) -> tuple[str, Any]:
    """An account whose first invoice was declined on Jan 1, and that invoice."""
    days.scripted(*(answers or ALWAYS))
    return _charged(days, **fields)


def _transferred(days: PlatformDays, account_id: str, amount_minor: int, invoice: Any = None) -> Any:
    body = {"amount_minor": amount_minor, "reference": f"SEPA {amount_minor}", "reason": "Paid by transfer."}
    return days.post(f"/v1/accounts/{account_id}/payments", body | ({"invoice": invoice["id"]} if invoice else {}))


class TestCharges:
    def test_three_missed_months_are_one_invoice_of_three_lines_and_one_payment(self, days: PlatformDays) -> None:
        account_id = days.opened()
        days.sweep(MAR_1)
        invoice = days.invoice(account_id)
        assert _amounts(invoice, "total", "paid", "outstanding") == ("PAID", 5997, 5997, 0)
        assert [(line["amount_minor"], line["period_start"]) for line in invoice["lines"]] == [
            (1999, "2026-01-01"),
            (1999, "2026-02-01"),
            (1999, "2026-03-01"),
        ]
        assert [payment["amount_minor"] for payment in invoice["payments"]] == [5997]
        assert days.asked == [(5997, "2026-03-01")]

    def test_what_is_too_small_to_collect_is_carried_forward(self, days: PlatformDays) -> None:
        account_id = days.opened(unit_amount_minor=1000)
        days.post(f"/v1/accounts/{account_id}/credits", {"amount_minor": 970, **WHY})
        days.sweep()
        assert _amounts(days.invoice(account_id), "balance_applied", "paid", "outstanding") == ("PAID", 1000, 0, 0)
        assert _owes(days, account_id) == (30, -30)
        days.sweep(feb(1))
        assert days.asked == [(1030, "2026-02-01")]
        _, second = days.invoices(account_id)
        assert _amounts(second, "total", "balance_applied", "paid") == ("PAID", 1000, -30, 1030)
        assert _owes(days, account_id) == (0, 0)

    def test_a_second_unit_and_back_again_cost_each_day_its_price(self, days: PlatformDays) -> None:
        """The example of `docs/invoices.md`."""
        account_id, _ = _charged(days, unit_amount_minor=3100)
        days.go_to(jan(16))
        days.post(f"/v1/accounts/{account_id}/terms", {"quantity": 2, "reason": "A second seat."})
        second = days.invoices(account_id)[-1]
        assert [(line["description"], line["amount_minor"]) for line in second["lines"]] == [
            ("Unused days of Pro, 16 Jan to 31 Jan 2026", -1600),
            ("Pro x 2, 16 Jan to 31 Jan 2026", 3200),
        ]
        assert _amounts(second, "total", "paid") == ("PAID", 1600, 1600)
        days.go_to(jan(21))
        back = days.post(f"/v1/accounts/{account_id}/terms", {"quantity": 1, "reason": "It left."})["proration"]
        assert (back["credit_minor"], back["charge_minor"]) == (2200, 1100)
        first, second = days.invoices(account_id)
        assert [note["amount_minor"] for note in second["credit_notes"]] == [1100]
        assert first["credit_notes"] == []
        assert -days.books()["revenue"] == 3100 + 1600 - 1100 == 26 * 100 + 5 * 200
        assert _owes(days, account_id) == (-1100, 1100)

    @pytest.mark.parametrize(
        "free", [{"unit_amount_minor": 0}, {"discount": {"percent": "100", "reason": "A friend of the house."}}]
    )
    def test_a_charge_of_nothing_is_paid_and_explained(self, days: PlatformDays, free: dict[str, Any]) -> None:
        """Of a price of zero, and of a discount of 100 percent."""
        account_id = days.opened(**free)
        run = days.sweep()
        invoice = days.invoice(account_id)
        assert _amounts(invoice, "total", "paid", "outstanding") == ("PAID", 0, 0, 0)
        assert (invoice["payments"], days.asked) == ([], [])
        assert days.get("/v1/ledger")["results"] == []
        shown = days.get(f"/v1/runs/{run.id}")
        assert (shown["charged"]["periods"], shown["unexplained"]["periods"]) == (1, 0)
        assert days.account(account_id)["status"] == "ACTIVE"

    def test_a_day_that_is_over_keeps_its_balance_when_it_is_billed_late(self, days: PlatformDays) -> None:
        days.scripted(DECLINED)
        account_id = days.opened(anchor_date="2026-01-31")
        path = f"/v1/accounts/{account_id}/balance"
        days.go_to(jan(31))
        on_the_day = days.get(path, as_of="2026-01-31")
        days.sweep(feb(5))
        assert days.get(path, as_of="2026-01-31") == on_the_day
        assert on_the_day["balance_minor"] == 0
        assert days.get(path, as_of="2026-02-05")["balance_minor"] == 1999
        (entry,) = days.get("/v1/ledger")["results"]
        assert (entry["effective_on"], entry["period_start"]) == ("2026-02-05", "2026-01-31")

    def test_an_invoice_that_is_sent_is_open_until_it_is_due_and_never_collected(self, days: PlatformDays) -> None:
        account_id, invoice = _charged(days, collection_method="send_invoice", net_days=30)
        assert (invoice["status"], invoice["due_on"]) == ("OPEN", "2026-01-31")
        days.sweep_daily(until=jan(31))
        assert (days.invoice(account_id)["status"], days.account(account_id)["status"]) == ("OPEN", "ACTIVE")
        days.sweep(feb(1))
        first, _ = days.invoices(account_id)
        assert (first["status"], days.account(account_id)["status"]) == ("OPEN", "PAST_DUE")
        _transferred(days, account_id, 1999, first)
        first, second = days.invoices(account_id)
        assert (first["status"], second["status"]) == ("PAID", "OPEN")
        assert days.account(account_id)["status"] == "ACTIVE"
        assert days.asked == []


class TestCorrections:
    def test_a_refund_in_full_leaves_the_invoice_paid_and_nothing_owed(self, days: PlatformDays) -> None:
        account_id, invoice = _charged(days)
        (payment,) = invoice["payments"]
        days.post(f"/v1/payments/{payment['id']}/refunds", {"amount_minor": 1999, **WHY})
        invoice = days.invoice(account_id)
        assert invoice["payments"][0]["refunded_minor"] == 1999
        assert _amounts(invoice, "paid", "refunded", "credited_to_refund", "outstanding") == (
            "PAID",
            1999,
            1999,
            1999,
            0,
        )
        assert [(note["amount_minor"], note["to_refund_minor"]) for note in invoice["credit_notes"]] == [(1999, 1999)]
        assert _owes(days, account_id) == (0, 0)
        assert days.books() == {"receivable": 0, "revenue": 0, "cash": 0}

    def test_a_credit_note_after_payment_is_used_by_the_next_charge(self, days: PlatformDays) -> None:
        account_id, invoice = _charged(days)
        note = days.post(f"/v1/invoices/{invoice['id']}/credit-notes", {"amount_minor": 500, **WHY})
        assert (note["amount_minor"], note["to_balance_minor"]) == (500, 500)
        assert _owes(days, account_id) == (-500, 500)
        days.sweep(feb(1))
        assert days.asked == [(1999, "2026-01-01"), (1499, "2026-02-01")]
        assert _owes(days, account_id) == (0, 0)

    def test_a_credit_note_of_all_that_is_unpaid_voids_the_invoice_and_ends_dunning(self, days: PlatformDays) -> None:
        account_id, invoice = _declined(days)
        assert days.account(account_id)["dunning_on"] == "2026-01-02"
        days.post(f"/v1/invoices/{invoice['id']}/credit-notes", WHY)
        assert _amounts(days.invoice(account_id), "credited", "outstanding") == ("VOID", 1999, 0)
        (rebilling,) = days.get("/v1/rebillings", account=account_id)["results"]
        assert rebilling["status"] == "VOIDED"
        assert days.account(account_id)["dunning_on"] is None
        assert _owes(days, account_id) == (0, 0)
        days.sweep_daily(until=jan(10))
        assert days.asked == [(1999, "2026-01-01")]

    def test_credit_that_was_used_and_is_taken_back_is_brought_forward(self, days: PlatformDays) -> None:
        account_id = days.opened()
        credit = days.post(f"/v1/accounts/{account_id}/credits", {"amount_minor": 2000, **WHY})
        days.sweep()
        assert _amounts(days.invoice(account_id), "balance_applied") == ("PAID", 1999)
        days.post(f"/v1/ledger/{credit['id']}/reversals", WHY)
        assert _owes(days, account_id) == (1999, -1999)
        assert _amounts(days.invoice(account_id), "balance_applied", "outstanding") == ("PAID", 1999, 0)
        days.sweep(feb(1))
        assert days.asked == [(3998, "2026-02-01")]
        assert _owes(days, account_id) == (0, 0)

    def test_a_part_that_was_paid_offline_and_refunded_leaves_the_rest_outstanding(self, days: PlatformDays) -> None:
        account_id, invoice = _declined(days)
        payment = _transferred(days, account_id, 1000, invoice)
        refund = days.post(f"/v1/payments/{payment['id']}/refunds", {"amount_minor": 1000, **WHY})
        assert refund["status"] == "SUCCEEDED"
        assert _amounts(days.invoice(account_id), "outstanding", "paid", "refunded") == ("OPEN", 999, 1000, 1000)
        assert _owes(days, account_id) == (999, 0)

    def test_a_credit_note_limits_the_refund_and_is_paid_out_from_the_balance(self, days: PlatformDays) -> None:
        account_id, invoice = _charged(days)
        refunds = f"/v1/payments/{invoice['payments'][0]['id']}/refunds"
        days.post(f"/v1/invoices/{invoice['id']}/credit-notes", {"amount_minor": 500, **WHY})
        for amount in (1999, 1500):
            problem = problem_of(
                days.send(refunds, {"amount_minor": amount, **WHY}), status=409, slug="nothing-to-refund"
            )
            assert problem["detail"] == "Of this payment, 14.99 USD is left to refund."
        days.post(refunds, {"amount_minor": 1499, **WHY})
        assert _owes(days, account_id) == (-500, 500)
        days.post(refunds, {"amount_minor": 500, "from": "balance", **WHY})
        assert _owes(days, account_id) == (0, 0)
        assert days.invoice(account_id)["payments"][0]["refunded_minor"] == 1999
        assert days.books() == {"receivable": 0, "revenue": 0, "cash": 0}

    def test_a_credit_note_of_what_was_written_off_gives_no_credit(self, days: PlatformDays) -> None:
        account_id, invoice = _declined(days)
        days.post(f"/v1/invoices/{invoice['id']}/write-off", WHY)
        days.post(f"/v1/invoices/{invoice['id']}/credit-notes", WHY)
        assert _amounts(days.invoice(account_id), "outstanding", "written_off", "credited") == ("VOID", 0, 0, 1999)
        assert _owes(days, account_id) == (0, 0)
        assert days.books() == {"receivable": 0, "revenue": 0, "bad_debt": 0}

    def test_what_was_written_off_is_recovered_part_by_part(self, days: PlatformDays) -> None:
        account_id, invoice = _declined(days)
        days.post(f"/v1/invoices/{invoice['id']}/write-off", WHY)
        _transferred(days, account_id, 1000, invoice)
        assert _amounts(days.invoice(account_id), "written_off", "paid") == ("UNCOLLECTIBLE", 999, 1000)
        _transferred(days, account_id, 999, invoice)
        assert _amounts(days.invoice(account_id), "written_off", "paid") == ("PAID", 0, 1999)
        assert _owes(days, account_id) == (0, 0)
        assert days.books() == {"receivable": 0, "revenue": -1999, "cash": 1999, "bad_debt": 0}


class TestDunning:
    def test_a_new_card_after_a_hard_decline_is_tried_on_its_day(self, days: PlatformDays) -> None:
        account_id, _ = _declined(days, STOLEN)
        days.sweep_daily(until=jan(3))
        assert days.account(account_id)["status"] == "PAST_DUE"
        response = days.send(f"/v1/accounts/{account_id}", {"payment_method": "pm_new"}, method="PATCH")
        assert response.status_code == 200
        assert days.asked == [(1999, "2026-01-01"), (1999, "2026-01-03")]
        assert days.account(account_id)["status"] == "ACTIVE"
        days.sweep_daily(until=jan(15))
        assert days.statuses(account_id) == ["PENDING", "PAST_DUE", "ACTIVE"]
        assert len(days.asked) == 2

    def test_days_on_which_we_were_down_count_for_nothing(self, days: PlatformDays) -> None:
        account_id, _ = _declined(days)
        days.go_to(jan(9))
        days.sweep_daily(until=jan(15))
        assert days.account(account_id)["status"] == "PAST_DUE"
        days.sweep_daily(until=jan(31))
        assert [day for _, day in days.asked] == ["2026-01-01", "2026-01-10", "2026-01-12", "2026-01-14", "2026-01-16"]
        account = days.account(account_id)
        assert (account["status"], account["inactive_reason"]) == ("INACTIVE", "unpaid")

    @pytest.mark.parametrize(
        ("paid_on", "anchor", "next_bill"),
        [(jan(20), "2026-01-01", "2026-02-01"), (feb(20), "2026-02-20", "2026-02-20")],
    )
    def test_a_transfer_makes_an_unpaid_account_active_again(
        self, days: PlatformDays, paid_on: datetime.date, anchor: str, next_bill: str
    ) -> None:
        account_id, invoice = _declined(days)
        days.sweep_daily(until=jan(7))
        assert days.account(account_id)["status"] == "PAST_DUE"
        days.sweep_daily(until=jan(8))
        assert (days.account(account_id)["inactive_reason"], _owes(days, account_id)) == ("unpaid", (1999, 0))
        days.sweep_daily(until=paid_on)
        _transferred(days, account_id, 1999, invoice)
        account = days.account(account_id)
        assert (days.invoice(account_id)["status"], account["status"]) == ("PAID", "ACTIVE")
        assert (account["anchor_date"], account["rebilling_date"]) == (anchor, next_bill)
        days.scripted()
        days.sweep()
        days.sweep_daily(until=feb(21))
        assert days.asked == [(1999, next_bill)]
        assert _owes(days, account_id) == (0, 0)

    def test_goodwill_is_applied_at_once_and_dunning_asks_for_the_rest(self, days: PlatformDays) -> None:
        account_id, _ = _declined(days, unit_amount_minor=10_000)
        days.post(f"/v1/accounts/{account_id}/credits", {"amount_minor": 5000, **WHY})
        assert _amounts(days.invoice(account_id), "balance_applied", "outstanding") == ("OPEN", 5000, 5000)
        assert _owes(days, account_id) == (5000, 0)
        days.sweep_daily(until=jan(2))
        assert days.asked == [(10_000, "2026-01-01"), (5000, "2026-01-02")]

    def test_three_declined_invoices_have_one_schedule_and_one_attempt_a_step(
        self, days: PlatformDays, settings: Any
    ) -> None:
        settings.DUNNING_DAYS = [15, 16, 17, 18]
        account_id, _ = _declined(days, interval_unit="week")
        days.sweep_daily(until=jan(18))
        assert days.account(account_id)["status"] == "PAST_DUE"
        days.sweep_daily(until=jan(31))
        invoices = days.invoices(account_id)
        assert [invoice["issued_on"] for invoice in invoices] == ["2026-01-01", "2026-01-08", "2026-01-15"]
        assert [day[-2:] for _, day in days.asked] == ["01", "08", "15", "16", "17", "18", "19"]
        assert [len(invoice["payments"]) for invoice in invoices] == [5, 1, 1]
        account = days.account(account_id)
        assert (account["status"], account["inactive_reason"], account["balance_minor"]) == ("INACTIVE", "unpaid", 5997)

    def test_a_year_that_was_never_paid_begins_anew_when_it_is_reopened(self, days: PlatformDays) -> None:
        account_id, invoice = _declined(days, STOLEN, interval_unit="year")
        days.sweep_daily(until=jan(9))
        assert days.account(account_id)["inactive_reason"] == "unpaid"
        days.post(f"/v1/invoices/{invoice['id']}/write-off", WHY)
        days.go_to(feb(10))
        account = days.post(f"/v1/accounts/{account_id}/reopen", WHY)
        assert (account["anchor_date"], account["rebilling_date"]) == ("2026-02-10", "2027-02-10")
        _, second = days.invoices(account_id)
        (line,) = second["lines"]
        assert (line["period_start"], line["period_end"], line["amount_minor"]) == ("2026-02-10", "2027-02-10", 1999)


class TestClosingWithARefund:
    """19.99 for January; closed on the 10th, 22 of its 31 days are left."""

    def test_sends_the_days_left_back(self, days: PlatformDays) -> None:
        account_id, _ = _charged(days)
        days.go_to(jan(10))
        days.post(f"/v1/accounts/{account_id}/close", {"refund": "prorated", **WHY})
        invoice = days.invoice(account_id)
        assert _amounts(invoice, "paid", "refunded", "credited_to_refund", "outstanding") == (
            "PAID",
            1999,
            1419,
            1419,
            0,
        )
        assert _owes(days, account_id) == (0, 0)
        assert days.books() == {"receivable": 0, "revenue": -580, "cash": 580}

    def test_credits_the_days_left_of_what_is_outstanding(self, days: PlatformDays) -> None:
        account_id, _ = _declined(days)
        days.go_to(jan(10))
        days.post(f"/v1/accounts/{account_id}/close", {"refund": "prorated", **WHY})
        assert _amounts(days.invoice(account_id), "credited", "outstanding") == ("OPEN", 1419, 580)
        assert _owes(days, account_id) == (580, 0)


class TestThroughStripe:
    @pytest.fixture
    def days(
        self,
        db: None,
        monkeypatch: pytest.MonkeyPatch,
        django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    ) -> Iterator[PlatformDays]:
        with platform_days(monkeypatch, django_capture_on_commit_callbacks, day=STRIPE_NOW.date()) as days:
            yield days

    def test_an_amount_that_it_cannot_express_needs_review_before_any_call(
        self, days: PlatformDays, settings: Any
    ) -> None:
        settings.PAYMENT_GATEWAY = "payments.gateways.stripe.gateway.StripeGateway"
        with stripe_bench() as bench:
            days.gateway = bench.gateway
            account_id, invoice = _charged(days, currency="KWD", unit_amount_minor=1505)
            (payment,) = invoice["payments"]
            assert (payment["amount_minor"], payment["currency"], payment["gateway"]) == (1505, "KWD", "stripe")
            assert (payment["status"], payment["decline_code"]) == ("DECLINED", "amount_not_expressible")
            assert (payment["needs_review"], invoice["status"]) == (True, "OPEN")
            days.sweep_daily(until=STRIPE_NOW.date() + datetime.timedelta(days=20))
            assert bench.provider.records.taken == []
            assert bench.provider.records.calls == {}
        assert len(days.invoice(account_id)["payments"]) == 1
        assert days.statuses(account_id) == ["PENDING"]
        assert _owes(days, account_id) == (1505, 0)

    def test_an_account_without_a_payment_method_is_dunned_without_a_call_until_it_is_over(
        self, days: PlatformDays, settings: Any
    ) -> None:
        settings.PAYMENT_GATEWAY = "payments.gateways.stripe.gateway.StripeGateway"
        seen = []
        with stripe_bench() as bench:
            days.gateway = bench.gateway
            account_id, invoice = _charged(days, payment_method=None)
            for number in range(12):
                account, invoice = days.account(account_id), days.invoice(account_id)
                seen.append((len(invoice["payments"]), account["status"], account["dunning_on"]))
                days.sweep(STRIPE_NOW.date() + datetime.timedelta(days=number + 1))
            assert bench.provider.records.calls == {}
        steps = [str(STRIPE_NOW.date() + datetime.timedelta(days=number)) for number in (1, 3, 5, 7)]
        assert seen == [
            (1, "PAST_DUE", steps[0]),
            *[(2, "PAST_DUE", steps[1])] * 2,
            *[(3, "PAST_DUE", steps[2])] * 2,
            *[(4, "PAST_DUE", steps[3])] * 2,
            *[(5, "INACTIVE", None)] * 5,
        ]
        assert {(payment["status"], payment["decline_code"]) for payment in invoice["payments"]} == {
            ("DECLINED", "no_payment_method")
        }
        assert [payment["submitted_at"][:10] for payment in invoice["payments"]] == [str(STRIPE_NOW.date()), *steps]
        account = days.account(account_id)
        assert (account["inactive_reason"], account["payment_method_unusable"]) == ("unpaid", False)
        assert days.statuses(account_id) == ["PENDING", "PAST_DUE", "INACTIVE"]
        assert (days.invoice(account_id)["status"], _owes(days, account_id)) == ("OPEN", (1999, 0))
