"""The forms of what people do about a subscription's life: close, pause and resume it, take that back, move a trial."""

import datetime
from typing import Any

from django import forms

from accounts.models import Account
from backoffice.forms import ReasonForm, day_field
from subscriptions.effective_days import At
from subscriptions.pending_changes import PendingChange
from subscriptions.running_period import PeriodRefund

ON_A_DAY = "day"


class CloseForm(ReasonForm):
    """Now, at the end of the running period, or on a day."""

    when = forms.ChoiceField(
        widget=forms.RadioSelect,
        initial=At.PERIOD_END,
        choices=[
            (At.PERIOD_END.value, "At the end of the running period"),
            (At.NOW.value, "Now"),
            (ON_A_DAY, "On a day"),
        ],
    )
    day = day_field(required=False, help_text="Periods that start before it are charged whole.")
    give_up = forms.BooleanField(
        label="Give up what waits",
        required=False,
        help_text="Closed now, items aren't billed, and a credit below zero is written off.",
    )
    operations_names: dict[str, str] = {"at": "day", "collect": "give_up"}
    field_order = ("when", "day", "give_up", "reason")

    def clean(self) -> dict[str, Any]:
        """Adds `at`, as the operation takes it."""
        data = super().clean() or self.cleaned_data
        when, day = data.get("when"), data.get("day")
        if when == ON_A_DAY and not day and "day" not in self.errors:
            self.add_error("day", "Say which day.")
        if when != ON_A_DAY and day:
            self.add_error("day", "Leave it empty, or choose to close on a day.")
        data["at"] = day if when == ON_A_DAY else when
        return data


class RefundPeriodForm(ReasonForm):
    """How much of the running period is given back."""

    refund = forms.ChoiceField(
        widget=forms.RadioSelect,
        choices=[
            (PeriodRefund.PRORATED.value, "The share of the days left, today included"),
            (PeriodRefund.FULL.value, "All of it"),
        ],
    )
    field_order = ("refund", "reason")


class PauseForm(ReasonForm):
    """From the end of the running period or now, until a day or until it is resumed."""

    at = forms.ChoiceField(
        label="From",
        widget=forms.RadioSelect,
        initial=At.PERIOD_END,
        choices=[(At.PERIOD_END.value, "The end of the running period"), (At.NOW.value, "Now")],
    )
    until = day_field(
        required=False,
        help_text="The day from which it is billed again. Leave it empty to pause it until it is resumed.",
    )
    field_order = ("at", "until", "reason")


class ResumeForm(ReasonForm):
    """Now, or on a day."""

    on = day_field(label="On", required=False, help_text="Leave it empty to resume it now.")
    field_order = ("on", "reason")


class TakeBackForm(ReasonForm):
    """Which of the account's pending changes."""

    field_order = ("change", "reason")
    subject: Account

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # When nothing is pending any more, the operation says so.
        choices = pending_choices(self.subject) or PendingChange.choices
        self.fields["change"] = forms.ChoiceField(widget=forms.RadioSelect, choices=choices, initial=choices[0][0])
        self.order_fields(self.field_order)


def pending_choices(account: Account) -> list[tuple[str, str]]:
    """What is pending of the account and can be taken back."""
    days: list[tuple[PendingChange, str, datetime.date | None]] = [
        (PendingChange.CANCELLATION, "Closing it", account.closes_on),
        (PendingChange.PAUSE, "Pausing it", account.pauses_on),
        (PendingChange.RESUMPTION, "Resuming it", account.resumes_on),
    ]
    return [(change.value, f"{label} on {day}") for change, label, day in days if day]


class TrialForm(ReasonForm):
    """The day on which the trial ends instead."""

    ends_on = day_field(label="Ends on", help_text="The first period begins then. Today ends the trial now.")
    field_order = ("ends_on", "reason")
