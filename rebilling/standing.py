"""An account's standing: its status, as its charges make it."""

import datetime
import uuid
from collections.abc import Collection

from django.db.models import Exists, OuterRef

from accounts.models import Account
from accounts.statuses import NewStatus, change_statuses
from rebilling.models import Rebilling

AUTHOR = "system:rebilling"
"""Who does what no person did."""


def refresh_standing(*, account_ids: Collection[uuid.UUID], author: str, now: datetime.datetime) -> None:
    """Bring the statuses of accounts (locked by the caller) in step with their charges.

    A charge unpaid: PAST_DUE. Nothing unpaid any more: ACTIVE. The first charge paid: from PENDING to ACTIVE.
    INACTIVE accounts stay so. At most four statements, whatever the number of accounts.
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
