"""The form that opens an account: who is billed, what, from when, and how it is paid."""

import datetime
from collections.abc import Iterator
from typing import Any

from django import forms
from django.contrib.auth.models import AnonymousUser, PermissionsMixin
from django.forms.boundfield import BoundField

from accounts.account_opening import MAX_QUANTITY, NewAccount
from accounts.contact import CONTACT_FIELDS, MAX_LENGTHS
from accounts.currencies import display
from accounts.models import Account, Plan
from accounts.phrases import counted
from backoffice.account_fields import AccountFields
from backoffice.amounts import minor_from
from backoffice.discounts import DiscountFields
from backoffice.forms import OperationForm, day_field, reason_field, submission_field
from backoffice.plans import interval_in_words
from subscriptions.discounts import NewDiscount
from subscriptions.sign_up import Billing

_DISCOUNT = ("percent", "amount", "periods", "until", "reason")
_FIELDSETS = {
    "Customer": ("name", "email", "external_reference"),
    "Terms": ("plan", "quantity", "unit_price", "anchor_date", "rebilling_date", "billing"),
    "Discount": _DISCOUNT,
    "Address and taxes": (*CONTACT_FIELDS, "tax_rate"),
    "Payment": ("collection_method", "net_days", "payment_customer", "payment_method", "on_decline"),
}
_AS_GIVEN = (
    *_FIELDSETS["Customer"],
    "plan",
    "quantity",
    "anchor_date",
    "rebilling_date",
    *_FIELDSETS["Address and taxes"],
    *_FIELDSETS["Payment"],
)
"""What the form and `NewAccount` have in common."""
_TERMS = "backoffice.change_account_terms"
_NEEDED = {
    "unit_price": (_TERMS, "a price of its own"),
    **dict.fromkeys(_DISCOUNT, ("backoffice.give_discount", "a discount")),
}
"""What a field gives that an account's page gives by another permission: without that, the form doesn't have it, and is
refused when it is sent all the same.
"""


class OpeningForm(DiscountFields, AccountFields, OperationForm):
    """`submission` is the account's id: the form sent twice opens it once. Amounts are in the plan's currency, so the
    plan is cleaned before them. `user` is who opens it, `today` the billing day.
    """

    external_reference = forms.CharField(
        required=False,
        max_length=MAX_LENGTHS["external_reference"],
        help_text="Its id in another system, which no other open account has.",
    )
    quantity = forms.IntegerField(min_value=1, max_value=MAX_QUANTITY, initial=1)
    unit_price = forms.CharField(
        required=False, max_length=30, help_text="In the plan's currency, like 20.50. Left empty, it is the plan's."
    )
    anchor_date = day_field(
        label="Billing day",
        required=False,
        help_text="The day from which periods are counted. Left empty, it is today, or the day on which the plan's "
        "trial ends; given, there is no trial.",
    )
    rebilling_date = day_field(
        label="Billed from",
        required=False,
        help_text="The first day of the first period that is billed. Left empty, it is the first that begins today or "
        "later.",
    )
    billing = forms.ChoiceField(
        label="Bill it",
        widget=forms.RadioSelect,
        initial=Billing.NOW,
        choices=[
            (Billing.NOW.value, "At once, where its first period begins today"),
            (Billing.NEXT_SWEEP.value, "With the next sweep"),
        ],
    )
    reason = reason_field(rows=2, required=False, help_text="Why it has the discount. Recorded with it.")
    on_decline = forms.ChoiceField(
        label="When declined",
        widget=forms.RadioSelect,
        initial=Account.OnDecline.DUN,
        choices=[
            (Account.OnDecline.DUN.value, "Collect it again, by the steps of dunning"),
            (Account.OnDecline.CLOSE.value, "Close the account: its first invoice must be paid"),
        ],
    )
    submission = submission_field()
    operations_names: dict[str, str] = {
        "unit_amount_minor": "unit_price",
        "discount.percent": "percent",
        "discount.amount_minor": "amount",
        "discount.periods": "periods",
        "discount.until": "until",
    }
    required_css_class = "required"

    def __init__(self, *args: Any, user: PermissionsMixin | AnonymousUser, today: datetime.date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._plans = {plan.code: plan for plan in Plan.objects.filter(retired=False).order_by("code")}
        self.fields["plan"] = forms.ChoiceField(
            choices=[("", "---------"), *((code, _described(plan)) for code, plan in self._plans.items())]
        )
        self.fields["amount"].help_text = "Off each period, in the plan's currency, like 20.50."
        self.order_fields([name for names in _FIELDSETS.values() for name in names])
        self._withheld = {name: what for name, (permission, what) in _NEEDED.items() if not user.has_perm(permission)}
        for name in self._withheld:
            del self.fields[name]
        # From when on a customer owes is a matter of the terms, as the price is.
        self._starts_from = None if user.has_perm(_TERMS) else today
        if self._starts_from is None:
            self.fields["rebilling_date"].help_text += " One in the past is caught up from."

    def fieldsets(self) -> Iterator[tuple[str, list[BoundField]]]:
        """The visible fields, grouped under headings."""
        for heading, names in _FIELDSETS.items():
            if fields := [self[name] for name in names if name in self.fields]:
                yield heading, fields

    def clean(self) -> dict[str, Any]:
        """Nothing that is withheld is dropped in silence: the person may think that it was given."""
        data = super().clean() or self.cleaned_data
        if given := {what: None for name, what in self._withheld.items() if self.data.get(name, "").strip()}:
            raise forms.ValidationError(f"You may not give an account {' and '.join(given)}.")
        return data

    def clean_rebilling_date(self) -> datetime.date | None:
        day: datetime.date | None = self.cleaned_data["rebilling_date"]
        if day and self._starts_from and day < self._starts_from:
            raise forms.ValidationError(f"You may not start in the past: give {self._starts_from} or later.")
        return day

    def clean_unit_price(self) -> int | None:
        return self._minor("unit_price", minimum=0)

    def clean_amount(self) -> int | None:
        return self._minor("amount", minimum=1)

    def _minor(self, name: str, *, minimum: int) -> int | None:
        """Nothing where no plan says the currency: that is an error of its own."""
        text, plan = self.cleaned_data[name], self._plans.get(self.cleaned_data.get("plan", ""))
        return minor_from(text=text, currency=plan.currency, minimum=minimum) if text and plan else None

    def new_account(self) -> NewAccount:
        """The account that was described. Of a valid form."""
        data = self.cleaned_data
        given = {name: data[name] for name in _AS_GIVEN}
        return NewAccount(id=data["submission"], unit_amount_minor=data.get("unit_price"), **given)

    def new_discount(self) -> NewDiscount | None:
        """Its discount; none where nothing is said of one. Of a valid form."""
        given = {name: self.cleaned_data.get(name) for name in _DISCOUNT}
        if all(value in (None, "") for value in given.values()):
            return None
        amount_minor, reason = given.pop("amount"), given.pop("reason") or ""
        return NewDiscount(amount_minor=amount_minor, reason=reason, **given)


def _described(plan: Plan) -> str:
    price = display(amount_minor=plan.unit_amount_minor, currency=plan.currency)
    trial = f", {counted(plan.trial_days, 'day')} of trial" if plan.trial_days else ""
    return f"{plan.name} ({plan.code}): {price} every {interval_in_words(plan)}{trial}"
