"""What people do about an account's discount: give it one, and end it."""

import re
from decimal import Decimal
from functools import partial
from typing import Any

from django import forms

from accounts.models import MAX_DISCOUNT_PERIODS, Account
from backoffice.action_previews import action_preview
from backoffice.actions import Action, Caller
from backoffice.amounts import example_of, minor_from
from backoffice.forms import ReasonForm, day_field
from subscriptions.discounts import end_discount, give_discount


class DiscountFields(forms.Form):
    """A percentage or an amount; for so many periods, until a day, or for good."""

    percent = forms.CharField(max_length=10, required=False, help_text="Of the price, like 25 or 12.5.")
    amount = forms.CharField(max_length=30, required=False)
    periods = forms.IntegerField(
        min_value=1,
        max_value=MAX_DISCOUNT_PERIODS,
        required=False,
        help_text="For so many periods. Leave it and the day empty for a discount for good.",
    )
    until = day_field(required=False, help_text="For the periods that start before this day.")

    def clean_percent(self) -> Decimal | None:
        text = self.cleaned_data["percent"].replace(",", ".").removesuffix("%").strip()
        if not text:
            return None
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,3})?", text):
            raise forms.ValidationError("Enter a percentage with at most three decimal places, like 25 or 12.5.")
        return Decimal(text)


class DiscountForm(DiscountFields, ReasonForm):
    """A discount of an account."""

    operations_names: dict[str, str] = {"amount_minor": "amount"}
    field_order = ("percent", "amount", "periods", "until", "reason")
    subject: Account

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        currency = self.subject.currency
        self.fields["amount"].help_text = f"Off each period, in {currency}, like {example_of(currency)}."

    def clean_amount(self) -> int | None:
        text = self.cleaned_data["amount"]
        return minor_from(text=text, currency=self.subject.currency) if text else None


def _give(account: Account, data: dict[str, Any], caller: Caller) -> None:
    give_discount(
        account_id=account.id,
        percent=data["percent"],
        amount_minor=data["amount"],
        periods=data["periods"],
        until=data["until"],
        **caller.signed(data),
    )


def _end(account: Account, data: dict[str, Any], caller: Caller) -> None:
    end_discount(account_id=account.id, reason=data["reason"], author=caller.author, now=caller.now)


GIVE_DISCOUNT = Action(
    name="discount",
    label="Give a discount",
    explanation="It is taken off the periods that start today or later and weren't found due before: give a percentage "
    "or an amount. An account has one discount at a time.",
    done="The discount was given.",
    permission="give_discount",
    offered=lambda account: True,
    perform=_give,
    preview=partial(action_preview, _give),
    form=DiscountForm,
)
END_DISCOUNT = Action(
    name="end-discount",
    label="End the discount",
    explanation="It is taken off no period that is found due from now on. Those that have it keep it.",
    done="The discount was ended.",
    permission="give_discount",
    offered=lambda account: account.discount_id is not None,
    perform=_end,
    preview=partial(action_preview, _end),
)
