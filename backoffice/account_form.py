"""The form that changes an account. Only what the person changed in it is changed."""

from typing import Any

from django import forms

from accounts.contact import CONTACT_FIELDS
from accounts.models import Account
from backoffice.account_fields import AccountFields
from backoffice.forms import ReasonForm


class AccountForm(AccountFields, ReasonForm):
    """The fields hold what the account has, and each carries along what it held when the form was opened: what somebody
    else has changed since then isn't changed back.
    """

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
        super().__init__(*args, subject=subject, initial=_present(subject), own_rate=subject.tax_rate, **kwargs)
        for name, field in self.fields.items():
            field.show_hidden_initial = name != "reason"
        method = self.fields["collection_method"]
        method.help_text = f"From the next invoice on. {method.help_text}"
        self.order_fields(self.field_order)

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
