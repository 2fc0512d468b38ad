"""What opening an account comes to, in sentences: before, found by doing it and rolling it back, and afterwards."""

import datetime
import uuid
from collections.abc import Callable, Iterator

from accounts.currencies import display
from accounts.ids import new_id
from accounts.models import Account
from accounts.phrases import counted, day_in_words
from accounts.previews import preview
from accounts.terms import terms_of
from backoffice.actions import Caller
from backoffice.money_sentences import lines_in_words, money_in_words
from backoffice.terms_forms import WAITS
from backoffice.upcoming_invoices import WHY_NONE
from invoices.models import Invoice
from invoices.whole_invoices import WholeInvoice
from rebilling.on_demand_billing import NotBilled
from rebilling.period_rows import units_in_words
from subscriptions.discounts import discount_in_words
from subscriptions.sign_up import NoFirstInvoice, SignedUp
from subscriptions.upcoming_invoice import upcoming_invoice


def opening_preview(sign_up: Callable[[], SignedUp], caller: Caller) -> list[str]:
    """What `sign_up` does, which isn't done: nothing is left behind or sent. Raises what it raises."""
    with preview():
        mark = new_id()
        return list(_in_words(sign_up(), mark, caller))


def opened_in_words(signed_up: SignedUp) -> str:
    """What was opened: its first invoice, or from when on it is billed."""
    if signed_up.invoice_id is None:
        return f"The account was opened. {_why_not_billed(signed_up)}"
    invoice = Invoice.objects.get(id=signed_up.invoice_id)
    total = display(amount_minor=invoice.total_minor, currency=invoice.currency)
    return f"The account was opened, and invoice {invoice.number} over {total} was issued."


def _in_words(signed_up: SignedUp, mark: uuid.UUID, caller: Caller) -> Iterator[str]:
    account = signed_up.account
    yield from _customer(account)
    yield from _terms(account, caller.today)
    yield from _status(account)
    yield from money_in_words(account, since=mark)
    if signed_up.no_invoice:
        yield _why_not_billed(signed_up)
    if signed_up.no_invoice not in (NoFirstInvoice.RUN_HELD, NoFirstInvoice.PARKED):
        yield from _upcoming(account, caller, is_first=signed_up.invoice_id is None)


def _customer(account: Account) -> Iterator[str]:
    """Who is billed and who pays, so that a person who changes that sees the preview again."""
    reference = f", {account.external_reference} elsewhere" if account.external_reference else ""
    yield f"The customer is {account.name}, {account.email}{reference}."
    if account.collection_method == Account.CollectionMethod.SEND_INVOICE:
        yield f"Invoices are sent, with {counted(account.net_days, 'day')} to pay."
    elif account.payment_customer and account.payment_method:
        yield f"What is owed is collected from {account.payment_customer} by {account.payment_method} at the gateway."
    else:
        yield "There is no payment method at the gateway yet."


def _terms(account: Account, today: datetime.date) -> Iterator[str]:
    terms = terms_of([account.id])[account.id].in_force(today)
    units = units_in_words(plan_name=terms.plan_name, quantity=terms.quantity)
    price = display(amount_minor=terms.price_minor, currency=account.currency)
    yield f"It is billed {price} a period ({units}). Its periods are counted from {day_in_words(terms.anchor_date)}."
    if account.trial_ends_on:
        yield f"It is on its trial, which ends on {day_in_words(account.trial_ends_on)}."
    if account.discount:
        yield f"It has a discount: {discount_in_words(account.discount, account.currency)}."


def _status(account: Account) -> Iterator[str]:
    if account.status == Account.Status.PENDING:
        yield "It is PENDING until its first invoice is paid."
    else:
        yield f"It is {account.status}."
    if account.on_decline == Account.OnDecline.CLOSE:
        yield "Should its payment be declined, the invoice is credited whole and the account is closed."


_WHY_NOT: dict[NoFirstInvoice, str] = {
    NoFirstInvoice.NEXT_SWEEP: "The next sweep bills it from {} on.",
    NoFirstInvoice.STARTS_LATER: "It is billed from {} on.",
    NoFirstInvoice.STARTED_EARLIER: "The next sweep bills what has fallen due since {}.",
    NoFirstInvoice.RUN_HELD: WAITS[NotBilled.RUN_HELD],
    NoFirstInvoice.PARKED: WAITS[NotBilled.PARKED],
}


def _why_not_billed(signed_up: SignedUp) -> str:
    if signed_up.no_invoice is None:
        raise ValueError("the account was invoiced")
    return _WHY_NOT[signed_up.no_invoice].format(day_in_words(signed_up.account.rebilling_date))


def _upcoming(account: Account, caller: Caller, *, is_first: bool) -> Iterator[str]:
    """The invoice that comes next, line by line where it is the first; or why there is none."""
    found = upcoming_invoice(account_id=account.id, today=caller.today, now=caller.now)
    if not isinstance(found, WholeInvoice):
        yield f"No invoice is to come then. {WHY_NONE[found]}"
        return
    which, day = "first" if is_first else "next", day_in_words(found.invoice.issued_on)
    total = display(amount_minor=found.invoice.total_minor, currency=account.currency)
    yield f"If nothing else changes until then, the {which} invoice is issued on {day}, over {total}."
    if is_first:
        yield from lines_in_words(found)
