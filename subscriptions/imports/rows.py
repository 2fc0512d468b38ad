"""A row of an import: its cells become the terms of an account, by the same rules as any other opening."""

import datetime
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from django.conf import settings

from accounts.account_opening import Draft, NewAccount, draft_account
from accounts.contact import CONTACT_FIELDS
from accounts.currencies import display
from accounts.date_format import billing_day_from
from accounts.errors import Invalid
from accounts.metadata import metadata_from
from accounts.models import Account, Plan, TaxRate
from subscriptions.imports.columns import COLUMNS, REQUIRED
from subscriptions.imports.file import FileRow

_STATUSES = {status.value: status for status in (Account.Status.ACTIVE, Account.Status.INACTIVE)}
# Digits of ASCII alone: int() takes 1_000 and the digits of every script too.
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,30}")
_T = TypeVar("_T")


class UnableToReadRow(Invalid):
    """The row's cells make no account; `errors` names their columns."""

    code = "unable-to-read-row"


def draft_of_row(
    *,
    row: FileRow,
    plans: Mapping[str, Plan],
    tax_rates: Mapping[uuid.UUID, TaxRate],
    as_of: datetime.date,
    author: str,
    now: datetime.datetime,
) -> Draft:
    """The account and the terms that a row describes, not saved yet.

    `plans` are all plans by their code, and `tax_rates` all rates by their id. Raises `UnableToReadRow`
    with every error that was found, by column.
    """
    cells = _Cells(row.cells)
    # Codes of plans have no capital letters.
    plan = plans.get(row.cells["plan"].lower())
    status = cells.read("status", _status, default=Account.Status.ACTIVE)
    anchor_date = cells.read("anchor_date", billing_day_from, default=None)
    rebilling_date = cells.read("rebilling_date", billing_day_from, default=None)
    contact: dict[str, Any] = {name: row.cells[name] for name in CONTACT_FIELDS}
    new = NewAccount(
        name=row.cells["name"],
        email=row.cells["email"],
        plan=row.cells["plan"],
        quantity=cells.read("quantity", _whole_number, default=1),
        unit_amount_minor=cells.read("unit_amount_minor", _minor_units, default=None),
        anchor_date=anchor_date,
        # It can't be checked without its anchor date, and a row without one is refused.
        rebilling_date=rebilling_date if anchor_date else None,
        external_reference=row.cells["external_reference"],
        payment_customer=row.cells["payment_customer"],
        payment_method=row.cells["payment_method"],
        **contact,
        metadata=cells.read("metadata", metadata_from, default={}),
    )
    owed_minor = cells.read("opening_balance_minor", lambda text: _owed_minor(plan=plan, text=text), default=0)
    tax_rate = cells.read("tax_rate", lambda text: _tax_rate(rates=tax_rates, text=text), default=None)
    if plan:
        cells.read("currency", lambda text: _currency_of(plan=plan, text=text), default=plan.currency)
    draft = None
    try:
        draft = draft_account(new=new, plan=plan, today=as_of, reason="imported", author=author, now=now)
    except Invalid as refusal:
        cells.add(refusal.errors)
    if draft is None or cells.errors:
        in_order = {column: cells.errors[column] for column in COLUMNS if column in cells.errors}
        raise UnableToReadRow("The row makes no account.", **{**in_order, **cells.errors})
    draft.account.status = status
    draft.account.credit_balance_minor = -owed_minor
    # Not among what is opened, whose check would look it up again for each row.
    draft.account.tax_rate = tax_rate
    if status == Account.Status.INACTIVE:
        draft.account.inactive_reason = Account.InactiveReason.IMPORTED
    return draft


class _Cells:
    """The cells of one row, and what was wrong with those read so far."""

    def __init__(self, cells: dict[str, str]) -> None:
        self._cells = cells
        self.errors = {column: "Must not be blank." for column in REQUIRED if not cells[column]}

    def read(self, column: str, parse: Callable[[str], _T], *, default: _T) -> _T:
        """The column's value, or the default when its cell is blank or unreadable; then `errors` says why."""
        if not self._cells[column]:
            return default
        try:
            return parse(self._cells[column])
        except ValueError as error:
            self.errors[column] = f"{error}."
            return default

    def add(self, errors: Mapping[str, str]) -> None:
        """More errors by column, of the account that the cells make; what could not be read has its own already."""
        for column, message in errors.items():
            self.errors.setdefault(column, message)


def _status(text: str) -> Account.Status:
    if text.upper() not in _STATUSES:
        raise ValueError(f"{_shortened(text)!r} is not {' or '.join(_STATUSES)}")
    return _STATUSES[text.upper()]


def _currency_of(*, plan: Plan, text: str) -> str:
    """An account has its plan's currency; the column is there to be checked."""
    if text.upper() != plan.currency:
        raise ValueError(f"{_shortened(text)!r} is not the currency of the plan {plan.code!r}, {plan.currency!r}")
    return plan.currency


def _whole_number(text: str) -> int:
    if not _WHOLE_NUMBER.fullmatch(text):
        raise ValueError(f"{_shortened(text)!r} is not a whole number in plain digits")
    return int(text)


def _minor_units(text: str) -> int:
    try:
        return _whole_number(text)
    except ValueError as error:
        raise ValueError(f"{error}; amounts are in minor units, 1999 for 19.99 USD") from None


def _owed_minor(*, plan: Plan | None, text: str) -> int:
    """What the account owes from before, or, below zero, has as credit."""
    owed_minor = _minor_units(text)
    if plan and abs(owed_minor) > settings.MAX_MOVEMENT_MINOR:
        maximum = display(amount_minor=settings.MAX_MOVEMENT_MINOR, currency=plan.currency)
        raise ValueError(f"{_shortened(text)!r} owes or credits more than {maximum} (the setting MAX_MOVEMENT_MINOR)")
    return owed_minor


def _tax_rate(*, rates: Mapping[uuid.UUID, TaxRate], text: str) -> TaxRate:
    try:
        return rates[uuid.UUID(text)]
    except (ValueError, KeyError):
        raise ValueError(f"There is no tax rate {_shortened(text)!r}") from None


def _shortened(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}..."
