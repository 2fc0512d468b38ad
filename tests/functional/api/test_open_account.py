"""Opening an account by API."""

import datetime
from typing import Any

import pytest

from accounts.contact import CONTACT_FIELDS
from accounts.models import Account, AccountChange, Terms
from api.models import IdempotentAnswer
from invoices.models import Invoice
from payments.models import Payment
from tests.builders import a_plan, an_account
from tests.support.api_client import ApiClient, problem_of
from tests.support.databases import rolled_back
from tests.support.unchanged import nothing_moves

ADA = {"name": "Ada Lovelace", "email": "ada@example.com", "plan": "pro"}


@pytest.fixture(autouse=True)
def _a_plan(db: None) -> None:
    a_plan(code="pro")


@rolled_back
class TestOpenAccount:
    def test_answers_with_the_account(self, api: ApiClient) -> None:
        response = api.post("/v1/accounts", ADA, once="one")
        assert response.status_code == 201
        account, invoice, payment = Account.objects.get(), Invoice.objects.get(), Payment.objects.get()
        assert response.json() == {
            "id": str(account.id),
            "status": "PENDING",
            "inactive_reason": None,
            "name": "Ada Lovelace",
            "email": "ada@example.com",
            "address_line1": None,
            "address_line2": None,
            "postal_code": None,
            "city": None,
            "region": None,
            "country": None,
            "tax_id": None,
            "language": None,
            "plan": "pro",
            "quantity": 1,
            "unit_amount_minor": 1999,
            "currency": "USD",
            "anchor_date": "2026-01-01",
            "rebilling_date": "2026-02-01",
            "balance_minor": 1999,
            "credit_balance_minor": 0,
            "external_reference": None,
            "collection_method": "automatic",
            "net_days": 30,
            "tax_rate": None,
            "discount": None,
            "payment_customer": None,
            "payment_method": None,
            "payment_method_unusable": False,
            "on_decline": "dun",
            "dunning_on": None,
            "trial_ends_on": None,
            "pending_terms": None,
            "pending_cancellation": None,
            "pending_pause": None,
            "pending_resumption": None,
            "metadata": {},
            "created_at": "2026-01-01T06:00:00Z",
            "first_invoice": {
                "id": str(invoice.id),
                "number": invoice.number,
                "status": "OPEN",
                "total_minor": 1999,
                "outstanding_minor": 1999,
                "payment": {
                    "id": str(payment.id),
                    "status": "SUBMITTED",
                    "decline_code": None,
                    "client_secret": None,
                },
            },
            "not_billed": None,
        }
        shown = api.get(f"/v1/accounts/{account.id}").json()
        assert shown | {"first_invoice": response.json()["first_invoice"], "not_billed": None} == response.json()

    def test_signs_its_history_with_the_key(self, api: ApiClient) -> None:
        api.post("/v1/accounts", ADA, once="one")
        signature = f"key:tests:{api.key.prefix}"
        assert (AccountChange.objects.get().author, Terms.objects.get().author) == (signature, signature)

    def test_takes_every_term(self, api: ApiClient) -> None:
        terms = ADA | {
            "quantity": 3,
            "unit_amount_minor": 500,
            "anchor_date": "2025-10-31",
            "rebilling_date": "2025-11-30",
            "external_reference": "crm-1",
            "collection_method": "send_invoice",
            "net_days": 14,
            "payment_customer": "cus_1",
            "payment_method": "pm_1",
            "address_line1": "12 St James's Square",
            "address_line2": "Third floor",
            "postal_code": "SW1Y 4JH",
            "city": "London",
            "region": "Greater London",
            "country": "GB",
            "tax_id": "GB123456789",
            "language": "en-GB",
            "metadata": {"seats": [1, 2], "vip": True, "note": "caf\u00e9 \\u0000", "rate": 1.5},
        }
        response = api.post("/v1/accounts", terms, once="one")
        assert response.status_code == 201
        assert terms.items() <= response.json().items()
        assert Account.objects.get().rebilling_date == datetime.date(2025, 11, 30)

    def test_counts_from_an_old_anchor_but_bills_from_today(self, api: ApiClient) -> None:
        opened = api.post("/v1/accounts", ADA | {"anchor_date": "2025-01-31"}, once="one").json()
        assert (opened["anchor_date"], opened["rebilling_date"]) == ("2025-01-31", "2026-01-31")

    def test_opens_a_trial_as_active(self, api: ApiClient) -> None:
        a_plan(code="try", trial_days=14)
        opened = api.post("/v1/accounts", ADA | {"plan": "try"}, once="one").json()
        assert (opened["status"], opened["anchor_date"]) == ("ACTIVE", "2026-01-15")

    @pytest.mark.parametrize("terms", [{"collection_method": "send_invoice"}, {"unit_amount_minor": 0}])
    def test_opens_one_that_pays_later_or_nothing_as_active(self, api: ApiClient, terms: Any) -> None:
        assert api.post("/v1/accounts", ADA | terms, once="one").json()["status"] == "ACTIVE"

    def test_reads_null_as_not_given(self, api: ApiClient) -> None:
        nulls = dict.fromkeys(
            [
                "unit_amount_minor",
                "anchor_date",
                "rebilling_date",
                "external_reference",
                "payment_customer",
                "payment_method",
                *CONTACT_FIELDS,
            ]
        )
        opened = api.post("/v1/accounts", ADA | nulls, once="one").json()
        assert (opened["unit_amount_minor"], opened["anchor_date"]) == (1999, "2026-01-01")
        assert (opened["external_reference"], opened["payment_method"]) == (None, None)


@rolled_back
class TestRefuseToOpenAccount:
    def test_refuses_a_duplicate_external_reference(self, api: ApiClient) -> None:
        an_account(external_reference="crm-1")
        with nothing_moves():
            response = api.post("/v1/accounts", ADA | {"external_reference": "crm-1"})
            problem = problem_of(response, status=409, slug="external-reference-taken")
        assert list(problem["errors"]) == ["external_reference"]

    @pytest.mark.parametrize("reference", [None, "absent"])
    def test_refuses_what_a_repetition_would_open_twice(self, api: ApiClient, reference: str | None) -> None:
        body = ADA if reference else ADA | {"external_reference": reference}
        with nothing_moves():
            problem = problem_of(api.post("/v1/accounts", body), status=400, slug="idempotency-key-missing")
        assert problem["detail"] == (
            "If this request were sent twice, it would open two accounts: it needs an Idempotency-Key header or an "
            "external_reference."
        )

    def test_opens_one_account_however_often_it_is_asked(self, api: ApiClient) -> None:
        named = ADA | {"external_reference": "crm-1"}
        assert [api.post("/v1/accounts", named).status_code for _ in range(3)] == [201, 409, 409]
        assert [api.post("/v1/accounts", ADA, once="one").status_code for _ in range(3)] == [201, 201, 201]
        assert Account.objects.count() == 2

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("plan", "unknown"),
            ("quantity", 0),
            ("quantity", -1),
            ("quantity", 2**31),
            ("unit_amount_minor", -1),
            ("unit_amount_minor", 100_000_000),
            ("net_days", -1),
            ("net_days", 366),
            ("anchor_date", "1969-12-31"),
            ("anchor_date", "2201-01-01"),
            ("rebilling_date", "2026-01-02"),
            ("rebilling_date", "9999-12-31"),
        ],
    )
    def test_refuses_a_value_that_makes_no_sense(self, api: ApiClient, field: str, value: Any) -> None:
        with nothing_moves(but=IdempotentAnswer):
            response = api.post("/v1/accounts", ADA | {field: value}, once="one")
            problem = problem_of(response, status=422, slug="unable-to-open-account")
        assert list(problem["errors"]) == [field]

    def test_refuses_a_charge_past_the_most(self, api: ApiClient) -> None:
        terms = ADA | {"quantity": 2, "unit_amount_minor": 50_000_000}
        with nothing_moves(but=IdempotentAnswer):
            problem = problem_of(api.post("/v1/accounts", terms, once="one"), status=422, slug="unable-to-open-account")
        assert list(problem["errors"]) == ["quantity"]

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("name", ""),
            ("name", " \t "),
            ("name", None),
            ("name", 7),
            ("name", ["Ada"]),
            ("name", "x" * 201),
            ("email", "ada"),
            ("email", "ada@"),
            ("email", "ada@example.com\nBcc: eve@example.com"),
            ("email", f"{'a' * 250}@example.com"),
            ("email", {"address": "ada@example.com"}),
            ("plan", "x" * 65),
            ("plan", "pro\0"),
            ("quantity", "1"),
            ("quantity", 1.0),
            ("quantity", True),
            ("quantity", 10**4000),
            ("unit_amount_minor", 2**63),
            ("collection_method", "card"),
            ("collection_method", None),
            ("net_days", "30"),
            ("net_days", None),
            ("anchor_date", "2026-1-1"),
            ("anchor_date", "20260101"),
            ("anchor_date", "2026-W01-1"),
            ("anchor_date", "0000-00-00"),
            ("anchor_date", "2026-02-30"),
            ("anchor_date", "2026-01-01T00:00:00Z"),
            ("anchor_date", "\u0662\u0660\u0662\u0666-01-01"),
            ("anchor_date", 20260101),
            ("external_reference", ""),
            ("external_reference", "x" * 201),
            ("payment_method", ""),
            ("payment_method", 5),
            ("metadata", None),
            ("metadata", []),
            ("metadata", "{}"),
            ("metadata", {str(n): n for n in range(51)}),
            ("metadata", {"long": "x" * 16_384}),
            ("metadata", {"nul": ["\0"]}),
            ("metadata", {"\0": 1}),
            ("status", "ACTIVE"),
            ("currency", "EUR"),
            ("Name", "Ada"),
        ],
    )
    def test_refuses_a_malformed_or_unknown_field(self, api: ApiClient, field: str, value: Any) -> None:
        with nothing_moves():
            problem = problem_of(api.post("/v1/accounts", ADA | {field: value}), status=400, slug="invalid-request")
        assert list(problem["errors"]) == [field]

    def test_names_every_field_that_is_wrong(self, api: ApiClient) -> None:
        body = {"name": "", "plan": "pro", "quantity": 1.5, "nick": "a", "extra": 1}
        problem = problem_of(api.post("/v1/accounts", body), status=400, slug="invalid-request")
        assert sorted(problem["errors"]) == ["email", "extra", "name", "nick", "quantity"]
        assert problem["errors"]["nick"] == ["This call has no such field."]

    def test_does_not_send_back_more_names_than_a_few(self, api: ApiClient) -> None:
        body = ADA | {f"{n}-{'x' * 1000}": 1 for n in range(500)}
        response = api.post("/v1/accounts", body)
        problem = problem_of(response, status=400, slug="invalid-request")
        assert len(problem["errors"]) == 50
        assert len(response.content) < 10_000
