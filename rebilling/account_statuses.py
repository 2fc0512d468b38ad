"""Account statuses, derived from the accounts' charges."""

import datetime
import uuid
from collections.abc import Collection

from django.db.models import Exists, OuterRef

from accounts.account_status import NewStatus, change_statuses
from accounts.models import Account
from rebilling.models import Rebilling

AUTHOR = "system:rebilling"
"""The author of what the platform does by itself."""


def refresh_account_statuses(*, account_ids: Collection[uuid.UUID], author: str, now: datetime.datetime) -> None:
    """Update the statuses of accounts (locked by the caller) from their charges.

    An unpaid charge makes an account PAST_DUE; with none left it is ACTIVE again. The first paid charge moves it from
    PENDING to ACTIVE. INACTIVE accounts don't change. At most four statements, whatever the number of accounts.
    """
    rows = Rebilling.objects.filter(account=OuterRef("pk"))
    accounts = (
        Account.objects.filter(id__in=account_ids)
        .exclude(status=Account.Status.INACTIVE)
        .annotate(
            owes=Exists(rows.filter(status=Rebilling.Status.UNPAID)),
            has_paid=Exists(rows.filter(status=Rebilling.Status.PAID)),
        )
        .order_by("id")
    )
    changes = []
    for account in accounts:
        if account.owes and account.status != Account.Status.PAST_DUE:
            changes.append(NewStatus(account, Account.Status.PAST_DUE, "a charge is unpaid"))
        elif not account.owes and account.status == Account.Status.PAST_DUE:
            changes.append(NewStatus(account, Account.Status.ACTIVE, "nothing is unpaid"))
        elif not account.owes and account.has_paid and account.status == Account.Status.PENDING:
            changes.append(NewStatus(account, Account.Status.ACTIVE, "the first charge was paid"))
    change_statuses(changes=changes, author=author, now=now)
