"""How a period that began today reads in answers: its invoice, issued at once, or why it wasn't."""

import datetime
from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from rest_framework import serializers

from api.idempotency import Answer
from api.v1.account_answers import AccountSerializer, account_as_json
from api.v1.account_calls import AccountCall
from api.v1.upcoming_invoices import UpcomingInvoiceSerializer, invoice_contents
from rebilling.on_demand_billing import NotBilled
from subscriptions.new_periods import BilledAccount, NewPeriod


class IssuedInvoiceSerializer(UpcomingInvoiceSerializer):
    """An invoice as it was issued; `GET /v1/invoices/{id}` has all of it."""

    id = serializers.UUIDField(allow_null=True, help_text="Null in the answer of a dry run.")


class NewPeriodSerializer(serializers.Serializer[Any]):
    """A period that begins today, which is billed at once."""

    invoice = IssuedInvoiceSerializer(allow_null=True, help_text="Null where none was issued at once.")
    not_billed = serializers.ChoiceField(
        NotBilled.choices,
        allow_null=True,
        help_text="Why no invoice was issued, or null. `run_held`: the volume check holds the day's run, and a person "
        "decides. `parked`: the invoice was refused, and a person decides.",
    )


class BilledAccountSerializer(AccountSerializer):
    """An account after a change, and the period that began with it."""

    new_period = NewPeriodSerializer(
        allow_null=True, read_only=True, help_text="The period that begins today, or null: none does."
    )

    class Meta(AccountSerializer.Meta):
        fields = (*AccountSerializer.Meta.fields, "new_period")  # type: ignore[assignment]  # one more
        read_only_fields = fields  # type: ignore[assignment]


class BilledAccountCall(AccountCall):
    """An endpoint whose calls change one account, with which a period may begin."""

    def billed_account_after(self, change: Callable[[], BilledAccount]) -> HttpResponse:
        """Make the change, once for an Idempotency-Key, and answer with the account and the new period."""

        def work() -> Answer:
            return Answer(200, _as_json(change(), today=self.today))

        return self.once(work)


def _as_json(billed: BilledAccount, *, today: datetime.date) -> dict[str, Any]:
    shown = new_period_contents(billed.new_period, dry_run=False)
    return account_as_json(billed.account, today=today) | {
        "new_period": NewPeriodSerializer(shown).data if shown else None
    }


def new_period_contents(new: NewPeriod | None, *, dry_run: bool) -> dict[str, Any] | None:
    """The period, as `NewPeriodSerializer` takes it."""
    if new is None:
        return None
    invoice = None
    if new.invoice:
        invoice = {"id": None if dry_run else new.invoice.invoice.id} | invoice_contents(new.invoice)
    return {"invoice": invoice, "not_billed": new.not_billed}
