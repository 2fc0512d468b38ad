"""Opening balances: what imported customers owed, or had to their credit, before they were billed here.

A debt is brought forward to the account's next invoice, and credit pays it.
"""

import datetime
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from accounts.account_opening import Draft
from ledger.models import Book, EntryType
from ledger.posting import Posting, post


@dataclass(slots=True)
class OpeningBalances:
    """What the accounts that were added bring with them, in minor units by currency."""

    owing_accounts: int = 0
    owed_minor: Counter[str] = field(default_factory=Counter)
    accounts_in_credit: int = 0
    credit_minor: Counter[str] = field(default_factory=Counter)

    def add(self, draft: Draft) -> None:
        balance_minor = draft.account.credit_balance_minor
        if balance_minor < 0:
            self.owing_accounts += 1
            self.owed_minor[draft.account.currency] -= balance_minor
        elif balance_minor > 0:
            self.accounts_in_credit += 1
            self.credit_minor[draft.account.currency] += balance_minor


def post_opening_balances(drafts: Iterable[Draft], *, today: datetime.date, author: str) -> None:
    """Write an entry for each of these accounts that has a balance, in one statement. `today` is the billing day."""
    postings = [_posting(draft) for draft in drafts if draft.account.credit_balance_minor]
    post(postings=postings, effective_on=today, author=author)


def _posting(draft: Draft) -> Posting:
    account = draft.account
    owes = account.credit_balance_minor < 0
    return Posting(
        type=EntryType.OPENING_BALANCE,
        account_id=account.id,
        amount_minor=abs(account.credit_balance_minor),
        currency=account.currency,
        description="Owed from before the import" if owes else "Credit from before the import",
        idempotency_key=f"opening:{account.id}",
        books=(Book.RECEIVABLE, Book.OPENING) if owes else (Book.OPENING, Book.RECEIVABLE),
    )
