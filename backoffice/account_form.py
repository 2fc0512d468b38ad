"""The form that changes an account. Only what the person changed in it is changed."""

import uuid
from typing import Any

from django import forms

from accounts.contact import CONTACT_FIELDS, MAX_LENGTHS
from accounts.models import MAX_NET_DAYS, Account, TaxRate
from backoffice.forms import ReasonForm

MAX_RATES = 200
"""Tax rates that the form offers, beside the account's own."""


def _contact(name: str, *, help_text: str = "") -> forms.CharField:
    return forms.CharField(required=False, max_length=MAX_LENGTHS[name], help_text=help_text, show_hidden_initial=True)


class AccountForm(ReasonForm):
    """The fields hold what the account has, and each carries along what it held when the form was opened: what somebody
    else has changed since then isn't changed back.
    """

    name = forms.CharField(max_length=200, show_hidden_initial=True)
    email = forms.CharField(label="E-mail", max_length=254, show_hidden_initial=True)
    address_line1 = _contact("address_line1")
    address_line2 = _contact("address_line2")
    postal_code = _contact("postal_code")
    city = _contact("city")
    region = _contact("region")
    country = _contact("country", help_text="Its code of two letters, like DE.")
    tax_id = _contact("tax_id")
    language = _contact("language", help_text="As a tag, like en or de-AT.")
    collection_method = forms.ChoiceField(
        choices=[(method, method) for method in Account.CollectionMethod.values],
        help_text="From the next invoice on. automatic: collected at the gateway. send_invoice: the customer pays it.",
        show_hidden_initial=True,
    )
    net_days = forms.IntegerField(
        label="Days to pay",
        min_value=0,
        max_value=MAX_NET_DAYS,
        help_text="Where invoices are sent.",
        show_hidden_initial=True,
    )
    payment_customer = forms.CharField(
        required=False, max_length=200, help_text="The customer's id at the gateway.", show_hidden_initial=True
    )
    payment_method = forms.CharField(
        required=False, max_length=200, help_text="Its id at the gateway.", show_hidden_initial=True
    )
    field_order = (
        "name",
        "email",
        *CONTACT_FIELDS,
        "collection_method",
        "net_days",
        "tax_rate",
        "payment_customer",
        "payment_method",
        "reason",
    )
    subject: Account

    def __init__(self, *args: Any, subject: Account, **kwargs: Any) -> None:
        super().__init__(*args, subject=subject, initial=_present(subject), **kwargs)
        rates = list(TaxRate.objects.order_by("name", "percent", "id")[:MAX_RATES])
        # Without its own, a browser would choose the default, and any change of the account would change its taxes.
        if subject.tax_rate and subject.tax_rate not in rates:
            rates.append(subject.tax_rate)
        self.fields["tax_rate"] = forms.ChoiceField(
            choices=[("", "the default of the settings"), *((str(rate.id), _described(rate)) for rate in rates)],
            required=False,
            help_text="Of what is found due from now on.",
            show_hidden_initial=True,
        )
        self.order_fields(self.field_order)

    def clean_tax_rate(self) -> uuid.UUID | None:
        """As the operation takes it."""
        chosen = self.cleaned_data["tax_rate"]
        return uuid.UUID(chosen) if chosen else None

    def clean(self) -> dict[str, Any]:
        """Adds `changes`, as the operation takes them."""
        data = super().clean() or self.cleaned_data
        changed = [name for name in self.changed_data if name != "reason"]
        if not changed:
            raise forms.ValidationError("Change at least one of the fields.")
        data["changes"] = {name: data[name] for name in changed if name in data}
        return data


def _present(account: Account) -> dict[str, Any]:
    return {
        "name": account.name,
        "email": account.email,
        **{name: getattr(account, name) for name in CONTACT_FIELDS},
        "collection_method": account.collection_method,
        "net_days": account.net_days,
        "tax_rate": str(account.tax_rate_id or ""),
        "payment_customer": account.payment_customer,
        "payment_method": account.payment_method,
    }


def _described(rate: TaxRate) -> str:
    return f"{rate}, {'in' if rate.inclusive else 'added to'} prices"
