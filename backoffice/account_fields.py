"""The fields that an account is opened with and that are changed later: the customer's data, taxes and payment."""

import uuid
from typing import Any

from django import forms

from accounts.contact import MAX_LENGTHS
from accounts.models import DEFAULT_NET_DAYS, MAX_NET_DAYS, Account, TaxRate

MAX_RATES = 200
"""Tax rates that a form offers, beside the account's own."""


def _text(name: str, *, required: bool = False, label: str | None = None, help_text: str = "") -> forms.CharField:
    return forms.CharField(required=required, label=label, max_length=MAX_LENGTHS[name], help_text=help_text)


class AccountFields(forms.Form):
    """`own_rate` is the tax rate that the account has, if it is there already and has one."""

    name = _text("name", required=True)
    email = _text("email", required=True, label="E-mail")
    address_line1 = _text("address_line1", label="Address line 1")
    address_line2 = _text("address_line2", label="Address line 2")
    postal_code = _text("postal_code")
    city = _text("city")
    region = _text("region")
    country = _text("country", help_text="Its code of two letters, like DE.")
    tax_id = _text("tax_id")
    language = _text("language", help_text="As a tag, like en or de-AT.")
    collection_method = forms.ChoiceField(
        choices=[(method, method) for method in Account.CollectionMethod.values],
        initial=Account.CollectionMethod.AUTOMATIC.value,
        help_text="automatic: collected at the gateway. send_invoice: the customer pays it.",
    )
    net_days = forms.IntegerField(
        label="Days to pay",
        min_value=0,
        max_value=MAX_NET_DAYS,
        initial=DEFAULT_NET_DAYS,
        help_text="Where invoices are sent.",
    )
    payment_customer = _text("payment_customer", help_text="The customer's id at the gateway.")
    payment_method = _text("payment_method", help_text="Its id at the gateway.")

    def __init__(self, *args: Any, own_rate: TaxRate | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rates = list(TaxRate.objects.order_by("name", "percent", "id")[:MAX_RATES])
        # Without its own, a browser would choose the default, and any change of the account would change its taxes.
        if own_rate and own_rate not in rates:
            rates.append(own_rate)
        self.fields["tax_rate"] = forms.ChoiceField(
            choices=[("", "the default of the settings"), *((str(rate.id), _described(rate)) for rate in rates)],
            required=False,
            help_text="Of what is found due from now on.",
        )

    def clean_tax_rate(self) -> uuid.UUID | None:
        """As the operations take it."""
        chosen = self.cleaned_data["tax_rate"]
        return uuid.UUID(chosen) if chosen else None


def _described(rate: TaxRate) -> str:
    return f"{rate}, {'in' if rate.inclusive else 'added to'} prices"
