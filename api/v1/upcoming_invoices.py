"""The upcoming invoice of an account: what it is billed next, and when."""

import uuid
from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiExample
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.account_opening import MAX_QUANTITY
from accounts.models import Account
from api.endpoints import Endpoint
from api.fields import Amount, SignedAmount, WholeNumber
from api.models import Scope
from api.schema import call
from api.v1.accounts import TAG
from api.v1.invoice_answers import BalanceUseSerializer, RateTotalSerializer
from invoices.models import InvoiceLine
from invoices.taxes_by_rate import taxes_by_rate
from invoices.whole_invoices import WholeInvoice
from subscriptions.upcoming_invoice import NoUpcomingInvoice, upcoming_invoice


class UpcomingLineSerializer(serializers.ModelSerializer[InvoiceLine]):
    """One amount of the upcoming invoice, and what it is for."""

    kind = serializers.ChoiceField(InvoiceLine.Kind.choices, read_only=True)
    quantity = WholeNumber(read_only=True, minimum=1, maximum=MAX_QUANTITY)
    unit_amount_minor = SignedAmount()
    discount_minor = Amount()
    amount_minor = SignedAmount(help_text="After the discount. Below zero it is a deduction.")
    tax_rate = serializers.UUIDField(
        source="tax_rate_id", read_only=True, allow_null=True, help_text="The id of the rate of its tax, or null."
    )
    tax_minor = SignedAmount()
    total_minor = SignedAmount(help_text="What it comes to with its tax.")
    period_start = serializers.DateField(read_only=True, allow_null=True)
    period_end = serializers.DateField(read_only=True, allow_null=True, help_text="The day after the last one.")

    class Meta:
        model = InvoiceLine
        fields = (
            *("kind", "description", "quantity", "unit_amount_minor", "discount_minor", "amount_minor", "tax_rate"),
            *("tax_minor", "total_minor", "period_start", "period_end"),
        )
        read_only_fields = fields


class UpcomingInvoiceSerializer(serializers.Serializer[Any]):
    """An invoice that is to come. Until then it has no id and no number."""

    issued_on = serializers.DateField(help_text="Today, where periods are due already.")
    due_on = serializers.DateField()
    collection_method = serializers.ChoiceField(
        Account.CollectionMethod.choices, help_text="`automatic`: the gateway collects it. `send_invoice`: it is sent."
    )
    currency = serializers.CharField()
    total_minor = Amount(help_text="The sum of its lines, taxes included.")
    tax_minor = SignedAmount(help_text="The tax in it.")
    balance_applied_minor = SignedAmount(
        help_text="From the credit balance. Below zero, a debt that is brought forward."
    )
    outstanding_minor = Amount(help_text="What is then to be paid: it is collected, or the customer pays it.")
    lines = UpcomingLineSerializer(many=True)
    taxes = RateTotalSerializer(many=True, help_text="Its taxes, added up by rate.")
    balance_uses = BalanceUseSerializer(many=True)


class UpcomingSerializer(serializers.Serializer[Any]):
    """The next invoice of an account, or why none is to come."""

    account = serializers.UUIDField()
    invoice = UpcomingInvoiceSerializer(allow_null=True)
    no_invoice = serializers.ChoiceField(
        NoUpcomingInvoice.choices,
        allow_null=True,
        help_text="Why no invoice is to come, or null. `closed`, `paused`, `unpaid`, `imported`: the account is "
        "INACTIVE for that reason, and nothing is to change that. `to_be_closed`, `to_be_paused`: before another "
        "period begins. `parked`: its next period waits for a person, or would. `in_flight`: its period is to be cut, "
        "and a payment or a refund in flight decides what is credited. `out_of_range`: it is later than any "
        "billing day.",
    )


class UpcomingInvoiceEndpoint(Endpoint):
    scopes: ClassVar = {"GET": Scope.LEDGER_READ}

    @call(
        "get_upcoming_invoice",
        tag=TAG,
        summary="Preview an account's next invoice",
        description="What is billed next if nothing is changed until then: by the terms, the discount, the taxes and "
        "the credit balance, after what is pending. It is issued by the code that will issue it, and rolled back. A "
        "run that is held doesn't change it.",
        scope=Scope.LEDGER_READ,
        response=UpcomingSerializer,
        missing=True,
        examples=[
            OpenApiExample(
                "19.99 a month, with 5.00 of credit",
                {
                    "account": "019a9c3e-8f00-7000-8000-000000000001",
                    "invoice": {
                        "issued_on": "2026-12-22",
                        "due_on": "2026-12-22",
                        "collection_method": "automatic",
                        "currency": "USD",
                        "total_minor": 1999,
                        "tax_minor": 0,
                        "balance_applied_minor": 500,
                        "outstanding_minor": 1499,
                        "lines": [
                            {
                                "kind": "period",
                                "description": "Pro, 22 Dec 2026 to 21 Jan 2027",
                                "quantity": 1,
                                "unit_amount_minor": 1999,
                                "discount_minor": 0,
                                "amount_minor": 1999,
                                "tax_rate": None,
                                "tax_minor": 0,
                                "total_minor": 1999,
                                "period_start": "2026-12-22",
                                "period_end": "2027-01-22",
                            }
                        ],
                        "taxes": [],
                        "balance_uses": [{"kind": "credit", "amount_minor": 500, "used_on": "2026-12-22"}],
                    },
                    "no_invoice": None,
                },
                response_only=True,
            )
        ],
    )
    def get(self, request: Request, account_id: uuid.UUID) -> Response:
        found = upcoming_invoice(account_id=account_id, today=self.today, now=self.now)
        return Response(_as_json(account_id, found))


def _as_json(account_id: uuid.UUID, found: WholeInvoice | NoUpcomingInvoice) -> Any:
    shown: dict[str, Any] = {"account": account_id, "invoice": None, "no_invoice": None}
    if isinstance(found, NoUpcomingInvoice):
        shown["no_invoice"] = found
    else:
        shown["invoice"] = invoice_contents(found)
    return UpcomingSerializer(shown).data


def invoice_contents(found: WholeInvoice) -> dict[str, Any]:
    """An invoice's contents, as `UpcomingInvoiceSerializer` takes them."""
    names = (
        *("issued_on", "due_on", "collection_method", "currency", "total_minor", "tax_minor"),
        *("balance_applied_minor", "outstanding_minor"),
    )
    return {name: getattr(found.invoice, name) for name in names} | {
        "lines": found.lines,
        "taxes": taxes_by_rate(found.lines),
        "balance_uses": found.balance_uses,
    }
