"""An account is opened in the admin: what the form shows, what it then does, and what it refuses."""

import datetime
import re
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import ADDITION, LogEntry
from django.test import Client

from accounts.currencies import display
from accounts.models import Account, Plan
from accounts.plans import retire_plan
from accounts.tax_rates import create_tax_rate
from backoffice import account_opening
from backoffice.money_sentences import money_in_words
from invoices.models import Invoice
from payments.models import Payment
from tests.builders import NOW, TODAY, a_plan, an_account, billed
from tests.functional.backoffice.action_requests import performed, previewed, state
from tests.functional.backoffice.conftest import page
from tests.functional.backoffice.openings import ADA, PATH, REQUIRED, SAID, opened, refused, said
from tests.support.databases import rolled_back

pytestmark = [rolled_back, pytest.mark.usefixtures("new_year", "gold")]

Capture = Callable[..., AbstractContextManager[list[Callable[[], Any]]]]


class TestForm:
    def test_offers_the_plans_that_can_still_be_bought(self, operator: Client) -> None:
        a_plan(code="trial", currency="EUR", unit_amount_minor=900, interval_count=3, trial_days=14)
        retire_plan(code=a_plan(code="old").code)
        content = page(operator, "accounts/account/add/")
        assert '<option value="gold">Gold (gold): 19.99 USD every month</option>' in content
        assert '<option value="trial">Trial (trial): 9.00 EUR every 3 months, 14 days of trial</option>' in content
        assert 'value="old"' not in content

    def test_shows_its_fields_under_headings_and_only_opens_when_sent(self, operator: Client) -> None:
        before = state()
        content = operator.get(PATH, SAID).content.decode()
        headings = re.findall(r'<h2 class="fieldset-heading">(.*?)</h2>', content)
        assert headings == ["Customer", "Terms", "Discount", "Address and taxes", "Payment"]
        assert "Ada Lovelace" not in content
        form = operator.get(PATH).context["form"]
        shown = [field.name for _, fields in form.fieldsets() for field in fields]
        assert sorted([*shown, "submission"]) == sorted(form.fields)
        assert state() == before


class TestOpening:
    def test_with_no_more_than_is_needed(self, operator: Client, gold: Plan) -> None:
        account, _, _ = opened(operator)
        assert (account.name, account.email, account.currency) == ("Ada Lovelace", "ada@engine.example", "USD")
        assert (account.anchor_date, account.external_reference, account.discount) == (TODAY, None, None)
        terms = account.terms.get()
        assert (terms.plan, terms.quantity, terms.unit_amount_minor, terms.author) == (gold, 1, 1999, "staff:olga")
        assert list(account.changes.values_list("reason", "author")) == [("opened", "staff:olga")]
        entry = LogEntry.objects.get()
        assert (entry.action_flag, entry.object_id, entry.change_message) == (
            *(ADDITION, str(account.id), "Open an account"),
        )

    def test_with_all_that_can_be_said(self, operator: Client) -> None:
        rate = create_tax_rate(name="VAT", percent=Decimal(21), now=NOW)
        account, _, _ = opened(
            operator,
            external_reference="ENGINE-1",
            quantity="3",
            unit_price="9,00",
            anchor_date="2025-12-15",
            rebilling_date="2026-01-15",
            billing="next_sweep",
            percent="12,5 %",
            periods="3",
            reason="spring\r\noffer",
            address_line1="1 Way",
            address_line2="Door 2",
            postal_code="10115",
            city="Berlin",
            region="Mitte",
            country="DE",
            tax_id="DE123",
            language="de-AT",
            tax_rate=str(rate.id),
            collection_method="send_invoice",
            net_days="14",
            payment_customer="cus_1",
            payment_method="pm_1",
        )
        expected = _STORED | {"tax_rate_id": rate.id}
        assert {name: getattr(account, name) for name in expected} == expected
        terms = account.terms.get()
        assert (terms.quantity, terms.unit_amount_minor, terms.anchor_date) == (3, 900, datetime.date(2025, 12, 15))
        assert account.discount is not None
        given = (account.discount.percent, account.discount.periods, account.discount.reason, account.discount.author)
        assert given == (Decimal("12.5"), 3, "spring offer", "staff:olga")

    @pytest.mark.parametrize(
        ("typed", "currency", "unit_amount_minor"),
        [("9,00", "USD", 900), ("9.00", "USD", 900), ("0", "USD", 0), ("900", "JPY", 900), ("", "JPY", 1999)],
    )
    def test_at_a_price_as_people_type_it(
        self, operator: Client, typed: str, currency: str, unit_amount_minor: int
    ) -> None:
        plan = a_plan(currency=currency)
        account, _, _ = opened(operator, plan=plan.code, unit_price=typed)
        terms = account.terms.get()
        assert (terms.unit_amount_minor, account.currency) == (unit_amount_minor, currency)

    def test_that_must_be_paid(self, operator: Client) -> None:
        account, sentences, _ = opened(operator, on_decline="close")
        assert (account.on_decline, account.status) == ("close", "PENDING")
        assert "Should its payment be declined, the invoice is credited whole and the account is closed." in sentences

    def test_sends_its_payment_when_it_is_committed(
        self, operator: Client, django_capture_on_commit_callbacks: Capture
    ) -> None:
        data = said(operator)
        with django_capture_on_commit_callbacks() as callbacks:
            _, seen = previewed(operator, PATH, data)
        assert callbacks == []
        with django_capture_on_commit_callbacks() as callbacks:
            assert operator.post(PATH, data | {"seen": seen}).status_code == 302
        assert (len(callbacks), Payment.objects.get().status) == (2, "SUBMITTED")

    def test_that_fails_unexpectedly_leaves_nothing_behind(
        self, operator: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*args: object, **kwargs: object) -> None:
            raise RuntimeError("no history today")

        data = said(operator)
        monkeypatch.setattr(LogEntry.objects, "log_actions", fail)
        before = state()
        with pytest.raises(RuntimeError):
            performed(operator, PATH, data)
        assert state() == before


_STORED: dict[str, Any] = {
    "external_reference": "ENGINE-1",
    "status": "ACTIVE",
    "anchor_date": datetime.date(2025, 12, 15),
    "rebilling_date": datetime.date(2026, 1, 15),
    "address_line1": "1 Way",
    "address_line2": "Door 2",
    "postal_code": "10115",
    "city": "Berlin",
    "region": "Mitte",
    "country": "DE",
    "tax_id": "DE123",
    "language": "de-AT",
    "collection_method": "send_invoice",
    "net_days": 14,
    "payment_customer": "cus_1",
    "payment_method": "pm_1",
}


class TestPreview:
    """What it says is then booked."""

    def test_of_what_is_billed_at_once(self, operator: Client) -> None:
        rate = create_tax_rate(name="VAT", percent=Decimal(21), now=NOW)
        account, sentences, messages = opened(
            operator, quantity="3", percent="25", periods="2", reason="spring", tax_rate=str(rate.id)
        )
        assert sentences == [
            *ADA,
            "It is billed 59.97 USD a period (Gold x 3). Its periods are counted from 1 Jan 2026.",
            "It has a discount: 25% off, for 2 periods from 1 Jan 2026.",
            "It is PENDING until its first invoice is paid.",
            "An invoice over 54.43 USD is issued now.",
            "Gold x 3, 1 Jan to 31 Jan 2026: 54.43 USD, after a discount of 14.99 USD, with 9.45 USD of tax.",
            "54.43 USD is collected at the gateway.",
            "If nothing else changes until then, the next invoice is issued on 1 Feb 2026, over 54.43 USD.",
        ]
        invoice = account.invoices.get()
        line = invoice.lines.get()
        assert (invoice.total_minor, line.discount_minor, line.tax_minor) == (5443, 1499, 945)
        assert messages == [f"The account was opened, and invoice {invoice.number} over 54.43 USD was issued."]
        assert list(money_in_words(account, since=account.id)) == sentences[5:8]
        billed(as_of=datetime.date(2026, 2, 1))
        assert account.invoices.latest("id").total_minor == 5443

    def test_of_what_the_customer_is_sent(self, operator: Client) -> None:
        account, sentences, _ = opened(operator, collection_method="send_invoice", net_days="14")
        assert sentences[1] == "Invoices are sent, with 14 days to pay."
        assert sentences[3:7] == [
            "It is ACTIVE.",
            "An invoice over 19.99 USD is issued now.",
            "Gold, 1 Jan to 31 Jan 2026: 19.99 USD.",
            "The customer is to pay 19.99 USD by 15 Jan 2026.",
        ]
        assert account.invoices.get().due_on == datetime.date(2026, 1, 15)

    @pytest.mark.parametrize(
        ("changed", "sentences", "message", "billed_on"),
        [
            (
                {"plan": "try"},
                [
                    "It is billed 9.00 USD a period (Try). Its periods are counted from 15 Jan 2026.",
                    "It is on its trial, which ends on 15 Jan 2026.",
                    "It is ACTIVE.",
                    "Nothing is billed now.",
                    "It is billed from 15 Jan 2026 on.",
                    "If nothing else changes until then, the first invoice is issued on 15 Jan 2026, over 9.00 USD.",
                    "Try, 15 Jan to 14 Feb 2026: 9.00 USD.",
                ],
                "It is billed from 15 Jan 2026 on.",
                "2026-01-15",
            ),
            (
                {"anchor_date": "2025-11-10", "rebilling_date": "2025-11-10", "amount": "5", "reason": "spring"},
                [
                    "It is billed 19.99 USD a period (Gold). Its periods are counted from 10 Nov 2025.",
                    "It has a discount: 5.00 USD off, for good, from 1 Jan 2026.",
                    "It is PENDING until its first invoice is paid.",
                    "Nothing is billed now.",
                    "The next sweep bills what has fallen due since 10 Nov 2025.",
                    "If nothing else changes until then, the first invoice is issued on 1 Jan 2026, over 39.98 USD.",
                    "Gold, 10 Nov to 9 Dec 2025: 19.99 USD.",
                    "Gold, 10 Dec 2025 to 9 Jan 2026: 19.99 USD.",
                ],
                "The next sweep bills what has fallen due since 10 Nov 2025.",
                "2026-01-01",
            ),
            (
                {"billing": "next_sweep"},
                [
                    "It is billed 19.99 USD a period (Gold). Its periods are counted from 1 Jan 2026.",
                    "It is PENDING until its first invoice is paid.",
                    "Nothing is billed now.",
                    "The next sweep bills it from 1 Jan 2026 on.",
                    "If nothing else changes until then, the first invoice is issued on 1 Jan 2026, over 19.99 USD.",
                    "Gold, 1 Jan to 31 Jan 2026: 19.99 USD.",
                ],
                "The next sweep bills it from 1 Jan 2026 on.",
                "2026-01-01",
            ),
        ],
    )
    def test_of_what_is_billed_later(
        self, operator: Client, changed: dict[str, str], sentences: list[str], message: str, billed_on: str
    ) -> None:
        a_plan(code="try", unit_amount_minor=900, trial_days=14)
        account, shown, messages = opened(operator, **changed)
        assert (shown, messages) == ([*ADA, *sentences], [f"The account was opened. {message}"])
        assert not account.invoices.exists()
        billed(as_of=datetime.date.fromisoformat(billed_on))
        _, *lines, _ = money_in_words(account, since=account.id)
        assert lines == sentences[-len(lines) :]
        total = display(amount_minor=account.invoices.get().total_minor, currency="USD")
        assert sentences[-len(lines) - 1].endswith(f" over {total}.")

    def test_of_what_a_held_run_keeps_back(self, operator: Client, settings: Any) -> None:
        settings.VOLUME_CHECK_FIRST_AMOUNTS = {"USD": 1000}
        account, sentences, messages = opened(operator)
        waits = "The new period isn't billed yet: the day's run is held, and a person decides."
        assert sentences[-2:] == ["Nothing is billed now.", waits]
        assert messages == [f"The account was opened. {waits}"]
        assert account.rebillings.get().status == "DUE"

    def test_of_too_many_periods_says_that_a_person_decides(self, operator: Client) -> None:
        _, sentences, _ = opened(operator, anchor_date="2022-01-01", rebilling_date="2022-01-01")
        assert sentences[-1] == (
            "No invoice is to come then. Its next billing period is parked, or would be: a person decides about it "
            "first."
        )

    def test_that_is_stale_is_shown_anew(self, operator: Client) -> None:
        data, before = said(operator), state()
        _, seen = previewed(operator, PATH, data)
        sentences, seen_now = previewed(operator, PATH, data | {"seen": seen, "unit_price": "25"})
        assert "An invoice over 25.00 USD is issued now." in sentences
        assert state() == before
        operator.post(PATH, data | {"seen": seen_now, "unit_price": "25"})
        assert Invoice.objects.get().total_minor == 2500


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("changed", "errors"),
        [
            ({"name": " "}, {"name": REQUIRED}),
            ({"name": "x" * 201}, {"name": ["Ensure this value has at most 200 characters (it has 201)."]}),
            (
                {"name": "\u202eada"},
                {"name": ["Holds a character that changes the direction of text (U+202E): take it out."]},
            ),
            ({"email": "ada"}, {"email": ["Enter a valid email address."]}),
            ({"plan": ""}, {"plan": REQUIRED}),
            ({"plan": "none"}, {"plan": ["Select a valid choice. none is not one of the available choices."]}),
            ({"quantity": "0"}, {"quantity": ["Ensure this value is greater than or equal to 1."]}),
            (
                {"unit_price": "9,000"},
                {"unit_price": ["Enter an amount in USD with digits and a decimal point, like 20.50."]},
            ),
            (
                {"unit_price": "-1"},
                {"unit_price": ["Enter an amount in USD with digits and a decimal point, like 20.50."]},
            ),
            (
                {"quantity": "1000000", "unit_price": "20"},
                {
                    "quantity": [
                        "A period would cost 20,000,000.00 USD, which is more than 999,999.99 USD (the setting "
                        "MAX_MOVEMENT_MINOR)."
                    ]
                },
            ),
            ({"anchor_date": "soon"}, {"anchor_date": ["Enter a valid date."]}),
            (
                {"anchor_date": "2026-01-10", "rebilling_date": "2026-01-11"},
                {"rebilling_date": ["2026-01-11 is not the start of a period counted from the anchor 2026-01-10."]},
            ),
            (
                {"percent": "ten"},
                {"percent": ["Enter a percentage with at most three decimal places, like 25 or 12.5."]},
            ),
            ({"percent": "101", "reason": "r"}, {"percent": ["Must be from 0.001 to 100."]}),
            ({"reason": "spring"}, {"percent": ["Give either a percentage or an amount."]}),
            ({"percent": "5", "amount": "5", "reason": "r"}, {"percent": ["Give either a percentage or an amount."]}),
            (
                {"amount": "0", "reason": "r"},
                {"amount": ["Must be from 0.01 USD to 999,999.99 USD (the setting MAX_MOVEMENT_MINOR)."]},
            ),
            (
                {"percent": "5", "periods": "2", "until": "2026-03-01", "reason": "r"},
                {"until": ["Give either a number of periods or a day."]},
            ),
            ({"percent": "5", "until": "2026-01-01", "reason": "r"}, {"until": ["Must be after today, 2026-01-01."]}),
            ({"percent": "5"}, {"reason": ["Say why."]}),
            ({"country": "XX"}, {"country": ["Must be a country's code of two letters (ISO 3166-1), like DE."]}),
            ({"language": "german"}, {"language": ["Must be a language tag, like en, de-AT or zh-Hant."]}),
            ({"net_days": "366"}, {"net_days": ["Ensure this value is less than or equal to 365."]}),
            (
                {"on_decline": "close", "collection_method": "send_invoice"},
                {"on_decline": ["Nothing is collected at its start, so that nothing can be declined."]},
            ),
            (
                {"external_reference": "TAKEN"},
                {"external_reference": ["Another account has the external reference 'TAKEN'."]},
            ),
            ({"submission": ""}, {"submission": ["This form is incomplete. Open it again."]}),
        ],
    )
    def test_are_shown_at_their_field(
        self, operator: Client, changed: dict[str, str], errors: dict[str, list[str]]
    ) -> None:
        an_account(external_reference="TAKEN")
        assert refused(operator, **changed)[0] == errors

    def test_of_a_tax_rate_that_is_not_there(self, operator: Client) -> None:
        errors, _ = refused(operator, tax_rate=str(uuid.uuid4()))
        assert list(errors) == ["tax_rate"]

    @pytest.mark.parametrize("before_it", ["opening_preview", "_open"])
    def test_of_a_plan_that_is_retired_meanwhile(
        self, operator: Client, monkeypatch: pytest.MonkeyPatch, before_it: str
    ) -> None:
        proper = getattr(account_opening, before_it)

        def after_retiring(*args: Any) -> Any:
            retire_plan(code="gold")
            return proper(*args)

        data = said(operator)
        _, seen = previewed(operator, PATH, data)
        monkeypatch.setattr(account_opening, before_it, after_retiring)
        response = operator.post(PATH, data | {"seen": seen})
        assert dict(response.context["form"].errors) == {"plan": ["The plan 'gold' is retired."]}
        assert [str(message) for message in response.context["messages"]] == ["The account was not opened."]
        assert (response.context["preview"], Account.objects.count(), LogEntry.objects.count()) == ([], 0, 0)

    def test_keep_what_was_entered(self, operator: Client) -> None:
        content = operator.post(PATH, said(operator, email="ada", city="Berlin")).content.decode()
        assert 'value="Berlin"' in content
        assert '<ul class="errorlist" id="id_email_error"><li>Enter a valid email address.</li></ul>' in content
        assert "The account was not opened." in content
