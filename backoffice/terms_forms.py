"""The form that changes an account's terms, and what it would bill, in sentences."""

from typing import Any

from django import forms

from accounts import clock
from accounts.account_opening import MAX_QUANTITY
from accounts.billing_day import billing_day
from accounts.currencies import display
from accounts.models import Account, Plan
from accounts.phrases import day_in_words
from accounts.terms import TermsInForce, terms_of
from backoffice.amounts import example_of, line_in_words, minor_from
from backoffice.forms import ReasonForm, day_field
from rebilling.on_demand_billing import NotBilled
from subscriptions.agreed_terms import TermsChanges
from subscriptions.new_periods import NewPeriod
from subscriptions.terms_changes import TermsChange


class TermsForm(ReasonForm):
    """The fields hold the terms in force; an empty unit price is the plan's, or stays where the plan does."""

    quantity = forms.IntegerField(min_value=1, max_value=MAX_QUANTITY)
    unit_price = forms.CharField(required=False, max_length=30)
    effective = forms.ChoiceField(
        label="From",
        widget=forms.RadioSelect,
        choices=[
            ("now", "Today"),
            ("period_end", "The end of the running period"),
            ("period_start", "A later period"),
            ("anchor_date", "The billing day"),
        ],
        initial="now",
    )
    period_start = day_field(
        label="Later period", required=False, help_text="The first day of the period from which a later one counts."
    )
    anchor_date = day_field(
        label="Billing day",
        required=False,
        help_text="Left empty, it stays. A day from which periods are counted anew, today or later: the period that "
        "runs on that day ends, its rest is credited, and a new one begins.",
    )
    proration = forms.ChoiceField(
        label="Days left",
        widget=forms.RadioSelect,
        choices=[
            ("invoice", "Of a change today, bill the days left of the running period anew"),
            ("next_invoice", "Of a change today, have the next invoice bill them anew"),
            ("none", "Leave the running period as it was billed"),
        ],
        initial="invoice",
    )
    operations_names: dict[str, str] = {"unit_amount_minor": "unit_price"}
    subject: Account

    def __init__(self, *args: Any, subject: Account, **kwargs: Any) -> None:
        present = _present(subject)
        initial = {"plan": present.plan_code, "quantity": present.quantity}
        super().__init__(*args, subject=subject, initial=initial, **kwargs)
        plans = Plan.objects.filter(currency=subject.currency)
        offered = plans.filter(retired=False) | plans.filter(code=present.plan_code)
        self.fields["plan"] = forms.ChoiceField(
            choices=[(plan.code, f"{plan.name} ({plan.code})") for plan in offered.order_by("code")]
        )
        price = display(amount_minor=present.unit_amount_minor, currency=subject.currency)
        self.fields["unit_price"].help_text = (
            f"In {subject.currency}, like {example_of(subject.currency)}. Left empty, it is the other plan's; of the "
            f"same plan it stays {price}."
        )
        self.order_fields(
            ["plan", "quantity", "unit_price", "effective", "period_start", "anchor_date", "proration", "reason"]
        )

    def clean_unit_price(self) -> int | None:
        text = self.cleaned_data["unit_price"]
        return minor_from(text=text, currency=self.subject.currency, minimum=0) if text else None

    def clean(self) -> dict[str, Any]:
        """Adds `changes`, as the operation takes them."""
        data = super().clean() or self.cleaned_data
        if (by := data.get("effective")) in ("period_start", "anchor_date"):
            if data.get(by) is None:
                self.add_error(by, "Give the day.")
            data["effective"] = data.get(by)
            self.operations_names = self.operations_names | {"effective": by}
        data["changes"] = TermsChanges(
            plan=data.get("plan"),
            quantity=data.get("quantity"),
            unit_amount_minor=data.get("unit_price"),
            anchor_date=data.get("anchor_date"),
        )
        return data


WAITS: dict[NotBilled, str] = {
    NotBilled.RUN_HELD: "The new period isn't billed yet: the day's run is held, and a person decides.",
    NotBilled.PARKED: "The new period isn't billed yet: its invoice is refused, and a person decides.",
}
"""Why a period that begins today isn't billed at once."""


def _present(account: Account) -> TermsInForce:
    return terms_of([account.id])[account.id].in_force(billing_day(clock.now()))


def change_in_words(change: TermsChange) -> list[str]:
    """What a change does, sentence by sentence: the terms, each line that it bills, and what comes of them."""

    def shown(amount_minor: int) -> str:
        return display(amount_minor=amount_minor, currency=change.currency)

    after = change.after
    sentences = [
        f"From {day_in_words(after.effective_from)} on: {after.plan_name}, {after.quantity} times "
        f"{shown(after.unit_amount_minor)}, {shown(after.price_minor)} a period.",
        f"The next billing day is {day_in_words(change.rebilling_date)}.",
    ]
    if change.billed is None:
        sentences += _new_period_in_words(change.new_period) or ["Nothing is billed now."]
        if after.cuts_period:
            sentences.append("What is left of the period that runs on that day is credited then, and a new one begins.")
        return sentences
    if after.cuts_period:
        sentences.append(f"On {day_in_words(after.effective_from)}, if nothing else changes until then:")
    sentences += [
        line_in_words(line.description, total_minor=total_minor, tax_minor=tax_minor, currency=change.currency)
        for line, tax_minor, total_minor in change.billed.lines
    ]
    net = change.billed.proration.net_minor
    if change.billed.proration.waits:
        return [*sentences, f"{shown(net)} waits for the next invoice; nothing is billed now."]
    if net > 0:
        sentences.append(f"{shown(net)} is billed now.")
    elif net == 0:
        sentences.append("Nothing is left to pay." if not after.cuts_period else "Nothing is credited.")
    else:
        credited = sum(note.to_balance_minor for note in change.billed.credit_notes)
        sentences.append(f"{shown(-net)} is credited, {shown(credited)} of it to the account's credit.")
    return [*sentences, *_new_period_in_words(change.new_period)]


def _new_period_in_words(new: NewPeriod | None) -> list[str]:
    """What the period that begins today comes to."""
    if new is None:
        return []
    if new.invoice is None:
        return [WAITS[new.not_billed]] if new.not_billed else []
    invoice = new.invoice.invoice
    total, outstanding = (
        display(amount_minor=amount, currency=invoice.currency)
        for amount in (invoice.total_minor, invoice.outstanding_minor)
    )
    lines = [
        f"{line.description}: {display(amount_minor=line.total_minor, currency=invoice.currency)}."
        for line in new.invoice.lines
    ]
    return [*lines, f"The new period is billed now: {total}, of which {outstanding} is to be paid."]
