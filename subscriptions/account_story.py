"""Where an account stands, in sentences for people: its status and why, what it owes, and what comes next."""

import datetime
import uuid
from collections.abc import Iterator, Sequence
from zoneinfo import ZoneInfo

from django.conf import settings

from accounts.billing_day import billing_day
from accounts.currencies import display
from accounts.locked_accounts import get_account
from accounts.models import Account, AccountChange
from accounts.pending_changes import pending_changes
from accounts.phrases import counted, day_in_words, period_in_words
from accounts.terms import TermsHistory, TermsInForce, terms_of
from invoices.models import Invoice
from payments.amount_checks import SUPERSEDED
from payments.declines import AMOUNT_TOO_SMALL, BY_PERSON
from payments.dunning_steps import waits_for_review
from payments.models import Authentication, Payment
from payments.outcomes import OUR_FAULT
from rebilling.models import AWAITS_DECISION, Rebilling
from rebilling.period_rows import units_in_words

NO_DECLINES = [*OUR_FAULT, SUPERSEDED, AMOUNT_TOO_SMALL, BY_PERSON]
"""Codes of payments that were not made, which no customer's bank refused."""

WAITS_FOR_REVIEW = "Dunning waits: its last attempts failed by our own fault, and a person has to review them."


def explain_account(account_id: uuid.UUID, *, today: datetime.date) -> list[str]:
    """Where the account stands on the day `today`. In a constant number of statements. Raises `UnknownAccount`."""
    account = get_account(account_id)
    # The newest of its history that set a status; the first is its opening.
    change = account.changes.filter(after__has_key="status").order_by("-id").first()
    invoices = list(account.invoices.filter(status=Invoice.Status.OPEN).order_by("id"))
    declines = Payment.objects.filter(account_id=account_id, invoice__status=Invoice.Status.OPEN)
    declined = declines.filter(status=Payment.Status.DECLINED).exclude(decline_code__in=NO_DECLINES).order_by("id")
    codes: dict[uuid.UUID | None, str] = dict(declined.values_list("invoice_id", "decline_code"))
    waiting = account.rebillings.filter(AWAITS_DECISION).select_related("run").order_by("period_start")
    history = terms_of([account.id])[account.id]
    return [
        *_status(account, change, invoices, codes, today),
        *_collection(account, invoices, today),
        *_balance(account),
        *_waiting(list(waiting)),
        *_trial(account, today),
        *pending_changes_in_words(account).values(),
        *_next_billing(account, history.cut),
        *([] if account.status == Account.Status.INACTIVE else pending_terms_in_words(account, history, today=today)),
    ]


def _status(
    account: Account,
    change: AccountChange | None,
    invoices: Sequence[Invoice],
    codes: dict[uuid.UUID | None, str],
    today: datetime.date,
) -> Iterator[str]:
    status: str = account.status
    if account.inactive_reason:
        status += f" ({account.inactive_reason})"
    late = [invoice for invoice in invoices if _is_late(invoice, today)]
    why = change.reason.removesuffix(".") if change else ""
    if late and account.status == Account.Status.PAST_DUE:
        why = _why_late(late[0], codes)
    since = f" since {day_in_words(billing_day(change.changed_at))}" if change else ""
    yield f"{status}{since}: {why}." if why else f"{status}{since}."
    if invoices:
        owed = sum(invoice.outstanding_minor for invoice in invoices)
        shown = display(amount_minor=owed, currency=account.currency)
        yield f"{shown} of {counted(len(invoices), 'open invoice')} is outstanding."


def _is_late(invoice: Invoice, today: datetime.date) -> bool:
    """Whether the account is past due because of it."""
    if invoice.collection_method == Account.CollectionMethod.SEND_INVOICE:
        return invoice.due_on < today
    return invoice.declined_on is not None


def _why_late(invoice: Invoice, codes: dict[uuid.UUID | None, str]) -> str:
    named = f"invoice {invoice.number} of {display(amount_minor=invoice.total_minor, currency=invoice.currency)}"
    if invoice.collection_method == Account.CollectionMethod.SEND_INVOICE:
        return f"{named} was due on {day_in_words(invoice.due_on)}"
    code = codes.get(invoice.id)
    return f"{named} was declined ({code})" if code else f"{named} counts as declined"


def _collection(account: Account, invoices: Sequence[Invoice], today: datetime.date) -> Iterator[str]:
    """What is done about its OPEN invoices, and what comes of it."""
    declined = [invoice for invoice in invoices if _is_late(invoice, today) and invoice.declined_on]
    sent = [invoice for invoice in invoices if _is_late(invoice, today) and not invoice.declined_on]
    is_inactive = account.status == Account.Status.INACTIVE
    if any(invoice.in_flight for invoice in invoices):
        yield "A payment is at the gateway, and its outcome isn't known yet."
    if account.dunning_on is not None and account.dunning_on < today and waits_for_review(account_id=account.id):
        yield WAITS_FOR_REVIEW
    elif account.dunning_on is not None:
        steps = f"Next step {account.dunning_steps + 1} of {len(settings.DUNNING_DAYS)}"
        after = "" if is_inactive else "; INACTIVE after the last"
        yield f"{steps} of dunning on {day_in_words(account.dunning_on)}{after}."
    elif declined and not any(invoice.in_flight for invoice in declined):
        yield "No step of dunning is left: nothing collects what was declined by itself."
    if sent and not is_inactive:
        day = min(invoice.due_on for invoice in sent) + datetime.timedelta(days=settings.UNPAID_DAYS)
        yield f"Unpaid until then, the account becomes INACTIVE on {day_in_words(day)}."
    if account.on_decline == Account.OnDecline.CLOSE and not is_inactive:
        yield "Its sign-up must be paid: declined, what it owes is credited and the account is closed."
    if any(invoice.in_flight for invoice in invoices):
        yield from _authentication(account)
    if account.payment_method_unusable:
        yield "The payment method was declined for good and isn't used any more. Another one is tried at once."


def _authentication(account: Account) -> Iterator[str]:
    """The customer has to act, and until when."""
    waiting = Authentication.objects.filter(payment__account=account).exclude(client_secret="").order_by("until")
    for authentication in waiting[:1]:
        until = authentication.until.astimezone(ZoneInfo(settings.BILLING_TIME_ZONE))
        yield (
            f"The customer has until {until:%H:%M} on {day_in_words(until.date())} to authenticate the payment with "
            "their bank; then it is declined."
        )


def _balance(account: Account) -> Iterator[str]:
    balance = account.credit_balance_minor
    shown = display(amount_minor=abs(balance), currency=account.currency)
    if balance < 0:
        yield f"It owes {shown} from before, which the next invoice brings forward."
    elif balance and account.status == Account.Status.INACTIVE:
        yield f"It has {shown} of credit, which can be paid out with a refund."
    elif balance:
        yield f"It has {shown} of credit, which the next invoice uses."


def _waiting(waiting: Sequence[Rebilling]) -> Iterator[str]:
    parked = [row for row in waiting if row.status == Rebilling.Status.PARKED]
    held = [row for row in waiting if row.status != Rebilling.Status.PARKED]
    if parked:
        yield f"{_periods(parked)} PARKED ({parked[0].reason}): not charged until a person decides."
    if held:
        day = day_in_words(held[0].run.as_of)
        yield f"{_periods(held)} in the run of {day}, which is HELD: not charged until a person releases it."


def _periods(rows: Sequence[Rebilling]) -> str:
    first = period_in_words(start=rows[0].period_start, end=rows[0].period_end)
    if len(rows) == 1:
        return f"The billing period {first} is"
    return f"{counted(len(rows), 'billing period')} from {first} on are"


def _trial(account: Account, today: datetime.date) -> Iterator[str]:
    if account.trial_ends_on and account.trial_ends_on > today and account.status != Account.Status.INACTIVE:
        yield f"It is on its trial, which ends on {day_in_words(account.trial_ends_on)}."


def pending_changes_in_words(account: Account) -> dict[str, str]:
    """What is to come of it, and why; by the field of the account that holds the day."""
    said = {
        "pauses_on": "It is to be paused on",
        "resumes_on": "It is to resume on",
        "closes_on": "It is to be closed on",
    }
    pending = pending_changes([account])[account.id]
    return {
        name: f"{what} {day_in_words(pending[name].on)}: {pending[name].reason.removesuffix('.')}."
        for name, what in said.items()
        if name in pending
    }


def _next_billing(account: Account, cut: TermsInForce | None) -> Iterator[str]:
    stops_on = account.billing_stops_on
    day = min(account.rebilling_date, cut.effective_from) if cut else account.rebilling_date
    if account.status != Account.Status.INACTIVE and stops_on and day >= stops_on:
        yield "No further period is billed before that."
    elif account.status != Account.Status.INACTIVE:
        yield f"The next billing day is {day_in_words(day)}."
    elif account.inactive_reason == Account.InactiveReason.UNPAID:
        yield "It isn't billed until it has paid what is outstanding, or is reopened."
    elif account.inactive_reason == Account.InactiveReason.PAUSED:
        yield "It isn't billed until it is resumed."
    else:
        yield "It isn't billed until it is reopened."


def pending_terms_in_words(account: Account, history: TermsHistory, *, today: datetime.date) -> Iterator[str]:
    """The terms that are agreed for a later day."""
    pending = history.pending(today)
    if pending:
        units = units_in_words(plan_name=pending.plan_name, quantity=pending.quantity)
        price = display(amount_minor=pending.price_minor, currency=account.currency)
        yield f"From {day_in_words(pending.effective_from)} on it is billed {price} a period ({units})."
        if history.cut:
            yield "The period that runs on that day ends then: its rest is credited, and a new one begins."
